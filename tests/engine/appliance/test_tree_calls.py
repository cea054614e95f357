"""Moving domains, rebuilding one twice at once, and trees that were broken from outside."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import Conflict
from engine.knowledge.build import build_table
from engine.schema import DomainCreate, DomainUpdate, RebuildRequest
from store import fsck
from store.errors import InUse, NotFound, StoreError
from store.places import Places
from tests.engine.appliance.small import (
    CORPUS,
    classify,
    core_of,
    ended,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    probs,
    same,
    tolerance_of,
)


def move(appliance: Appliance, name: str, parent: str) -> None:
    assert appliance.change_domain(name, DomainUpdate(parent=parent)).parent == parent


def taken_as_it_is(settings: Settings) -> None:
    """`hmi fsck --repair` of a catalogue that another program has written to."""
    places = Places(settings.paths.data)
    repaired = fsck.repair(places, fsck.check_home(places).faults, None, alone=True)
    assert [repair.mended for repair in repaired] == [True]


def parents(appliance: Appliance) -> dict[str, str | None]:
    return {d.name: d.parent for d in appliance.domains().data}


@contextmanager
def held_builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Rebuilds wait before they build; the event says that one does. They go on at the end."""
    reached, go = threading.Event(), threading.Event()
    build: Callable[..., object] = build_table

    def held(*arguments: object) -> object:
        reached.set()
        assert go.wait(20)
        return build(*arguments)

    monkeypatch.setattr("engine.appliance.rebuild.build_table", held)
    try:
        yield reached
    finally:
        go.set()


def test_a_moved_domain_sees_the_tables_of_its_new_ancestors(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    appliance.create_domain(DomainCreate(name="films"))
    appliance.create_domain(DomainCreate(name="shorts", parent="films"))
    make_vplm(appliance, domain="shorts")
    before = probs(appliance, "acme/a")
    assert classify(appliance, "acme/a", "a good film").timing.hit_rate == 0
    move(appliance, "films", "reviews")
    assert parents(appliance)["shorts"] == "films"
    assert appliance.vplm("acme/a").domain == "shorts"
    assert classify(appliance, "acme/a", "a good film").timing.hit_rate
    # A hit equals a computed miss, so where a row comes from changes no answer.
    assert same(probs(appliance, "acme/a"), before, tolerance_of(appliance))
    move(appliance, "films", "general")
    assert classify(appliance, "acme/a", "a good film").timing.hit_rate == 0


def test_a_moved_domain_keeps_its_own_table_also_over_a_restart(settings: Settings) -> None:
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        appliance.create_domain(DomainCreate(name="films"))
        make_vplm(appliance, domain="reviews")
        entries = appliance.domain("reviews").entries
        move(appliance, "reviews", "films")
        assert appliance.domain("reviews").entries == entries > 0
    with opened(settings) as appliance:
        assert parents(appliance)["reviews"] == "films"
        assert appliance.domain("reviews").entries == entries
        assert classify(appliance, "acme/a", "a good film").timing.hit_rate


@pytest.mark.parametrize(
    ("name", "parent", "error", "words"),
    [
        ("general", "films", InUse, "root"),
        ("films", "nowhere", NotFound, "nowhere"),
        ("nowhere", "films", NotFound, "nowhere"),
        ("films", "films", InUse, "below itself"),
        ("films", "shorts", InUse, "hangs below"),
    ],
)
def test_a_move_that_would_break_the_tree_is_refused_and_changes_nothing(
    appliance: Appliance, name: str, parent: str, error: type[StoreError], words: str
) -> None:
    appliance.create_domain(DomainCreate(name="films"))
    appliance.create_domain(DomainCreate(name="shorts", parent="films"))
    with pytest.raises(error, match=words):
        move(appliance, name, parent)
    assert parents(appliance) == {"general": None, "films": "general", "shorts": "films"}


def test_an_update_of_nothing_changes_nothing(appliance: Appliance) -> None:
    appliance.create_domain(DomainCreate(name="films"))
    assert appliance.change_domain("films", DomainUpdate()).parent == "general"
    with pytest.raises(NotFound):
        appliance.change_domain("nowhere", DomainUpdate())


def test_a_domain_that_is_being_rebuilt_stays_where_it_is(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "reviews")
    appliance.create_domain(DomainCreate(name="films"))
    with held_builds(monkeypatch) as reached:
        job = appliance.rebuild_domain("reviews", RebuildRequest()).id
        assert reached.wait(10)
        with pytest.raises(Conflict, match="being rebuilt") as refused:
            move(appliance, "reviews", "films")
        assert job in refused.value.remedy
        move(appliance, "films", "reviews")
    assert ended(appliance, job).state == "succeeded"
    move(appliance, "films", "general")
    move(appliance, "reviews", "films")


def test_a_second_rebuild_of_a_domain_is_refused_and_names_the_first(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("reviews", "films"):
        make_domain(appliance, name)
    with held_builds(monkeypatch) as reached:
        running = appliance.rebuild_domain("reviews", RebuildRequest()).id
        assert reached.wait(10)
        waiting = appliance.rebuild_domain("films", RebuildRequest()).id
        for name, job, how in (("reviews", running, "is being"), ("films", waiting, "waits to")):
            with pytest.raises(Conflict, match=f"{how} .*rebuilt already, by job {job}") as refused:
                appliance.rebuild_domain(name, RebuildRequest())
            assert (refused.value.status, refused.value.code) == (409, "rebuild_under_way")
        appliance.cancel_job(waiting)
        again = appliance.rebuild_domain("films", RebuildRequest()).id
    for job in (running, again):
        assert ended(appliance, job).state == "succeeded"
    assert appliance.job(waiting).state == "cancelled"
    # As soon as a job is seen to have ended, the next may begin.
    assert appliance.rebuild_domain("reviews", RebuildRequest()).id


def test_of_many_rebuilds_asked_for_at_once_one_begins(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domain(appliance, "reviews")
    asked = threading.Barrier(8)
    accepted: list[str] = []
    refused: list[str] = []

    def ask() -> None:
        asked.wait(10)
        try:
            accepted.append(appliance.rebuild_domain("reviews", RebuildRequest()).id)
        except Conflict as error:
            refused.append(error.detail)

    with held_builds(monkeypatch):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    (job,) = accepted
    assert len(refused) == 7
    assert all(job in detail for detail in refused)
    assert ended(appliance, job).state == "succeeded"


@pytest.mark.parametrize(
    ("broken", "hung"),
    [
        ({"reviews": "reviews"}, ["reviews"]),
        ({"reviews": "films"}, ["films"]),
        ({"general": "films"}, []),
    ],
    ids=["own parent", "ring", "root in a ring"],
)
def test_a_broken_tree_is_mended_and_reported_and_loses_nothing(
    settings: Settings, broken: dict[str, str], hung: list[str]
) -> None:
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        appliance.create_domain(DomainCreate(name="films", parent="reviews"))
        make_vplm(appliance, domain="reviews")
        before = probs(appliance, "acme/a")
    with closing(sqlite3.connect(settings.paths.catalogue)) as db, db:
        for name, parent in broken.items():
            db.execute("update domains set parent = ? where name = ?", [parent, name])
    taken_as_it_is(settings)
    with opened(settings) as appliance:
        found = parents(appliance)
        assert set(found) == {"general", "reviews", "films"}
        assert found["general"] is None
        assert all(found[name] == "general" for name in hung)
        assert classify(appliance, "acme/a", "a good film").timing.hit_rate
        assert same(probs(appliance, "acme/a"), before, tolerance_of(appliance))
        told = [p for p in appliance.status().problems if "ring" in p.what]
        assert bool(told) == bool(hung)
        for problem in told:
            assert all(name in problem.what for name in hung)
            assert "hmi domain mv" in problem.remedy
        for name in hung:
            appliance.create_domain(DomainCreate(name=f"above-{name}"))
            move(appliance, name, f"above-{name}")
        assert not [p for p in appliance.status().problems if "ring" in p.what]
    with opened(settings) as appliance:
        assert not core_of(appliance).mended


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [(CORPUS, "4 documents"), (b"a good film\n" * 2, "about 100% of the tokens")],
)
def test_a_tiny_corpus_is_taken_with_the_hit_rate_to_expect(
    appliance: Appliance, corpus: bytes, expected: str
) -> None:
    appliance.create_domain(DomainCreate(name="reviews"))
    receipt = appliance.put_corpus("reviews", iter([corpus]))
    (warning,) = receipt.warnings
    assert "tiny" in warning
    assert expected in warning
    assert appliance.domain("reviews").corpus_lines == receipt.lines


def test_a_corpus_of_some_size_needs_no_warning(appliance: Appliance) -> None:
    appliance.create_domain(DomainCreate(name="reviews"))
    assert appliance.put_corpus("reviews", iter([CORPUS * 1000])).warnings == []
