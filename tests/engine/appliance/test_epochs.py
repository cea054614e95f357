from __future__ import annotations

import pytest

from engine.appliance import Appliance
from engine.appliance.rebuild_cost import _grown
from engine.config import Settings
from engine.schema import DomainCreate, RebuildRequest
from store.errors import NotFound
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
)


def rebuild(appliance: Appliance, alpha: float) -> None:
    job = appliance.rebuild_domain("reviews", RebuildRequest(alpha=alpha))
    assert ended(appliance, job.id).state == "succeeded"


def test_epochs_are_kept_with_what_they_were_and_how_often_they_were_hit(
    appliance: Appliance,
) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    classify(appliance, "acme/a", list(TEXTS))
    first = appliance.domain("reviews")
    rebuild(appliance, 0.25)
    new, old = appliance.epochs("reviews").data
    assert (new.epoch, new.alpha, new.replaced_at) == (2, 0.25, None)
    assert (old.epoch, old.alpha, old.replaced_at) == (1, 1.0, new.published_at)
    assert (old.entries, old.bytes) == (first.entries, first.bytes)
    assert (old.hits, old.lookups) == (first.hits, first.hits + first.misses)
    assert old.hit_rate == first.hit_rate
    assert (new.lookups, new.hit_rate) == (0, None)
    classify(appliance, "acme/a", "a good film")
    assert appliance.epochs("reviews").data[0].lookups > 0
    assert appliance.domain("reviews").published_at == new.published_at


def test_lookups_of_an_epoch_outlive_the_engine(settings: Settings) -> None:
    with opened(settings) as first:
        make_tenant(first)
        make_domain(first, "reviews")
        make_vplm(first, domain="reviews")
        classify(first, "acme/a", "a good film")
        before = first.epochs("reviews").data[0].lookups
    with opened(settings) as second:
        assert second.domain("reviews").published_at is not None
        assert second.epochs("reviews").data[0].lookups == before
        classify(second, "acme/a", "a good film")
        core_of(second).stack.epochs.save()
        classify(second, "acme/a", "a good film")
        assert second.epochs("reviews").data[0].lookups == 3 * before
        second.remove_domain("reviews")
        second.create_domain(DomainCreate(name="reviews"))
        assert second.epochs("reviews").data == []
        with pytest.raises(NotFound):
            second.epochs("nowhere")


def test_misses_are_told_apart(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews", miss="backoff")
    make_vplm(appliance, "acme/b", domain="reviews", miss="compute")
    for model in ("acme/a", "acme/b", "acme/b"):
        classify(appliance, model, list(TEXTS))
    domain = appliance.domain("reviews")
    assert min(domain.computed, domain.cached, domain.backed_off) > 0
    assert domain.computed + domain.cached + domain.backed_off == domain.misses


def test_what_a_rebuild_costs_is_told_before_it_begins(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    cost = appliance.rebuild_cost("reviews", RebuildRequest(alpha=1.0, traffic_weight=0))
    built = appliance.domain("reviews")
    assert cost.epoch == 2
    assert cost.entries >= built.entries
    assert cost.bytes >= built.bytes
    assert cost.seconds > 0
    assert cost.tokens > 0
    assert appliance.jobs(None, 10, None).total == 1
    small = appliance.rebuild_cost("reviews", RebuildRequest(budget_bytes=cost.bytes // 2))
    assert small.bytes <= cost.bytes // 2


def test_what_becomes_stale_or_has_no_text_is_said(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_domain(appliance, "films", "reviews")
    make_vplm(appliance, domain="reviews")
    cost = appliance.rebuild_cost("reviews", RebuildRequest(train_minutes=2))
    assert cost.train_seconds == 120
    assert any("films" in told for told in cost.warnings)
    assert any("1 vPLMs" in told for told in cost.warnings)
    appliance.create_domain(DomainCreate(name="bare"))
    bare = appliance.rebuild_cost("bare", RebuildRequest())
    assert bare.entries == bare.tokens == 0
    assert any("no corpus" in told for told in bare.warnings)


def test_a_repetitive_text_grows_slower_than_it_gets_long() -> None:
    assert _grown(50, 50, 8.0) == 50
    assert _grown(50, 100, 8.0) == 800
    assert 100 < _grown(80, 100, 8.0) < 400
    assert _grown(0, 7, 2.0) == 14
