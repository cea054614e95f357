"""Domains that learn from their traffic, by hand and by themselves."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.appliance.updates import UpdateWatch, due, last_request
from engine.config import Settings
from engine.errors import BadInput
from engine.knowledge.build import build_table
from engine.knowledge.traffic import Recent
from engine.schema import DomainCreate, DomainUpdate, RebuildRequest, UpdatePolicy
from store.errors import NotFound, StoreError
from tests.engine.appliance.small import (
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    until,
)

STRANGE = ["thanks , the parcel is dull", "is it a bank account ?", "refund my card"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watch_of(appliance: Appliance, clock: Clock | None = None) -> UpdateWatch:
    """A watch of the test's own, which looks when it is told to."""
    return UpdateWatch(core_of(appliance), appliance.rebuild_domain, clock or Clock())


def set_policy(appliance: Appliance, name: str, **policy: Any) -> UpdatePolicy:
    return appliance.change_domain(name, DomainUpdate(**policy)).policy


def jobs_of(appliance: Appliance, name: str) -> list[str]:
    """Rebuilds, the latest first."""
    return [job.id for job in appliance.jobs(None, 100, None).data if job.subject == name]


def finish(appliance: Appliance, name: str) -> dict[str, Any]:
    """The result of the domain's latest rebuild."""
    job = ended(appliance, jobs_of(appliance, name)[0])
    assert job.state == "succeeded", job.error
    return job.result


def hit_rate(appliance: Appliance, texts: list[str]) -> float:
    rate = classify(appliance, "acme/a", texts).timing.hit_rate
    assert rate is not None
    return rate


@pytest.fixture
def reviews(appliance: Appliance) -> Appliance:
    """With a table, and a vPLM that is asked about other things."""
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    return appliance


def test_traffic_that_a_rebuild_has_learnt_from_hits(reviews: Appliance) -> None:
    before = hit_rate(reviews, STRANGE)
    result = ended(reviews, reviews.rebuild_domain("reviews", RebuildRequest()).id).result
    assert result["promoted"] > 0
    assert result["lookups"] > 0
    assert result["coverage_before"] < result["coverage"]
    after = hit_rate(reviews, STRANGE)
    assert before < 0.5
    assert after == 1.0
    found = reviews.domain("reviews")
    assert (found.recent_lookups, found.recent_miss_rate) == (result["lookups"], 0.0)


def test_traffic_may_be_left_out_of_it(reviews: Appliance) -> None:
    before = hit_rate(reviews, STRANGE)
    job = reviews.rebuild_domain("reviews", RebuildRequest(alpha=1.0, traffic_weight=0))
    assert ended(reviews, job.id).result["promoted"] == 0
    assert hit_rate(reviews, STRANGE) == before


def test_without_a_corpus_a_domain_learns_from_its_traffic_alone(appliance: Appliance) -> None:
    appliance.create_domain(DomainCreate(name="shop"))
    make_vplm(appliance, domain="shop")
    with pytest.raises(BadInput) as error:
        appliance.rebuild_domain("shop", RebuildRequest())
    assert error.value.code == "no_corpus"
    assert hit_rate(appliance, STRANGE) == 0.0
    with pytest.raises(BadInput):
        appliance.rebuild_domain("shop", RebuildRequest(train_minutes=1))
    appliance.rebuild_domain("shop", RebuildRequest(alpha=1.0))
    assert finish(appliance, "shop")["tokens"] == 0
    assert hit_rate(appliance, STRANGE) == 1.0


def test_a_restart_remembers_what_was_asked(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_vplm(first, domain="reviews")
        before = hit_rate(first, STRANGE)
        seen = first.domain("reviews")
        assert seen.recent_lookups > 0
    with opened(settings) as second:
        found = second.domain("reviews")
        assert (found.recent_lookups, found.recent_miss_rate) == (
            seen.recent_lookups,
            seen.recent_miss_rate,
        )
        second.rebuild_domain("reviews", RebuildRequest())
        assert finish(second, "reviews")["promoted"] > 0
        assert hit_rate(second, STRANGE) == 1.0 > before


def test_a_torn_traffic_file_is_dropped_at_the_start(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_vplm(first, domain="reviews")
        hit_rate(first, STRANGE)
    (path,) = (settings.paths.tables / "reviews").glob("traffic-*.npz")
    path.write_bytes(path.read_bytes()[:50])
    with opened(settings) as second:
        assert second.domain("reviews").recent_lookups == 0
        assert "the traffic of domain reviews is forgotten" in caplog.text
        assert second.domain("reviews").state == "ready"


def test_what_a_removed_domain_was_asked_is_gone(reviews: Appliance) -> None:
    hit_rate(reviews, STRANGE)
    core_of(reviews).stack.ledger.save()
    folder = core_of(reviews).settings.paths.tables / "reviews"
    assert list(folder.glob("traffic-*.npz"))
    reviews.remove_domain("reviews")
    assert not folder.exists()


@pytest.mark.parametrize(
    ("policy", "recent", "idle", "expected"),
    [
        ({}, Recent(0, 10**9), True, False),
        ({"update": "miss_rate"}, Recent(3_000, 17_000), False, True),
        ({"update": "miss_rate"}, Recent(10_000, 10_000), False, False),
        ({"update": "miss_rate", "miss_rate": 0.4}, Recent(10_000, 10_000), False, True),
        ({"update": "miss_rate"}, Recent(0, 19_999), False, False),
        ({"update": "miss_rate", "min_lookups": 100}, Recent(0, 19_999), False, True),
        ({"update": "idle"}, Recent(19_999, 1), True, True),
        ({"update": "idle"}, Recent(19_999, 1), False, False),
        ({"update": "idle"}, Recent(50_000, 0), True, False),
        ({"update": "idle"}, Recent(0, 9), True, False),
    ],
)
def test_an_update_is_due_by_the_policy(
    policy: dict[str, Any], recent: Recent, idle: bool, expected: bool
) -> None:
    assert due(UpdatePolicy(**policy), recent, idle=idle) is expected


def test_a_policy_is_kept_and_what_is_not_given_stays(settings: Settings) -> None:
    with opened(settings) as first:
        first.create_domain(DomainCreate(name="reviews"))
        assert first.domain("reviews").policy == UpdatePolicy()
        changed = set_policy(first, "reviews", update="miss_rate", miss_rate=0.3)
        assert (changed.update, changed.miss_rate, changed.min_lookups) == ("miss_rate", 0.3, 20000)
        assert set_policy(first, "reviews", cooldown_s=5).miss_rate == 0.3
    with opened(settings) as second:
        kept = second.domain("reviews").policy
        assert (kept.update, kept.miss_rate, kept.cooldown_s) == ("miss_rate", 0.3, 5)
        with pytest.raises(NotFound):
            set_policy(second, "nowhere", update="idle")


def test_a_domain_that_misses_too_much_is_rebuilt_as_it_was_last(reviews: Appliance) -> None:
    hit_rate(reviews, STRANGE)
    watch = watch_of(reviews)
    assert watch.look() == []
    set_policy(reviews, "reviews", update="miss_rate", miss_rate=0.5, min_lookups=10)
    assert watch.look() == ["reviews"]
    assert finish(reviews, "reviews")["promoted"] > 0
    job = reviews.job(jobs_of(reviews, "reviews")[0])
    first = reviews.job(jobs_of(reviews, "reviews")[-1])
    assert job.params == first.params
    assert job.id != first.id
    assert hit_rate(reviews, STRANGE) == 1.0
    assert watch.look() == []


def test_updates_of_one_domain_keep_their_distance(reviews: Appliance) -> None:
    clock = Clock()
    watch = watch_of(reviews, clock)
    set_policy(reviews, "reviews", update="miss_rate", miss_rate=0, min_lookups=1, cooldown_s=60)
    hit_rate(reviews, STRANGE)
    assert watch.look() == ["reviews"]
    finish(reviews, "reviews")
    hit_rate(reviews, ["dull dull bank bank"])
    clock.now = 59.0
    assert watch.look() == []
    clock.now = 61.0
    assert watch.look() == ["reviews"]
    finish(reviews, "reviews")


def test_a_domain_that_is_being_rebuilt_is_left_alone(
    reviews: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go = threading.Event(), threading.Event()

    def held(*arguments: Any) -> Any:
        reached.set()
        assert go.wait(20)
        return build_table(*arguments)

    hit_rate(reviews, STRANGE)
    set_policy(reviews, "reviews", update="miss_rate", miss_rate=0, min_lookups=1)
    monkeypatch.setattr("engine.appliance.rebuild.build_table", held)
    by_hand = reviews.rebuild_domain("reviews", RebuildRequest()).id
    assert reached.wait(20)
    watch = watch_of(reviews)
    assert watch.look() == []
    go.set()
    assert ended(reviews, by_hand).state == "succeeded"
    assert jobs_of(reviews, "reviews")[0] == by_hand
    # It was not tried in vain: no cool-down has begun.
    hit_rate(reviews, ["dull dull bank bank"])
    assert watch.look() == ["reviews"]
    finish(reviews, "reviews")


def test_idle_time_is_used_to_learn(reviews: Appliance, monkeypatch: pytest.MonkeyPatch) -> None:
    hit_rate(reviews, STRANGE)
    set_policy(reviews, "reviews", update="idle", min_lookups=10)
    watch = watch_of(reviews)
    monkeypatch.setattr(core_of(reviews).idleness, "idle", lambda: False)
    assert watch.look() == []
    monkeypatch.setattr(core_of(reviews).idleness, "idle", lambda: True)
    assert watch.look() == ["reviews"]
    finish(reviews, "reviews")


def test_an_update_that_cannot_be_started_is_told_and_tried_again_later(
    reviews: Appliance, caplog: pytest.LogCaptureFixture
) -> None:
    def full(name: str, request: RebuildRequest) -> Any:
        raise StoreError("No space is left for the catalogue.")

    clock = Clock()
    watch = UpdateWatch(core_of(reviews), full, clock)
    hit_rate(reviews, STRANGE)
    set_policy(reviews, "reviews", update="miss_rate", miss_rate=0, min_lookups=1, cooldown_s=60)
    with caplog.at_level(logging.WARNING):
        assert watch.look() == []
        assert watch.look() == []
    assert caplog.text.count("No space is left") == 1
    clock.now = 61.0
    watch.look()
    assert caplog.text.count("No space is left") == 2


def test_the_engine_looks_by_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.appliance.updates._LOOK_EVERY_S", 0.01)
    monkeypatch.setattr("engine.appliance.updates._SAVE_EVERY_S", 0.0)
    with opened(settings) as engine:
        make_tenant(engine)
        make_domain(engine, "reviews")
        make_vplm(engine, domain="reviews")
        hit_rate(engine, STRANGE)
        folder = settings.paths.tables / "reviews"
        until(lambda: list(folder.glob("traffic-*.npz")) != [], "saving the traffic")
        set_policy(engine, "reviews", update="miss_rate", miss_rate=0.3, min_lookups=10)
        until(lambda: engine.domain("reviews").epoch == 2, "an update")


def test_what_an_older_rebuild_was_asked_for_is_asked_for_again(reviews: Appliance) -> None:
    fresh = reviews.create_domain(DomainCreate(name="films"))
    assert last_request(core_of(reviews).catalogue.domains.get(fresh.name)) == RebuildRequest()
    older = core_of(reviews).catalogue.domains.change(
        "reviews", params={"alpha": 0.4, "train_minutes": 30.0, "of_another_version": 1}
    )
    assert last_request(older) == RebuildRequest(alpha=0.4)
