from __future__ import annotations

import threading

import pytest

from engine.errors import Damaged
from engine.memory import loader
from engine.memory.tiers import AdapterTiers
from tests.engine.memory.conftest import arena_of, holds, made
from tests.engine.memory.readers import DEADLINE_S, ByHand, Disk, by_hand

SIZE = made(0).nbytes
NAMES = "abcdefgh"


@pytest.fixture
def disk() -> Disk:
    return Disk({name: made(n) for n, name in enumerate(NAMES)})


def _tiers(disk: Disk, host: int, slots: int = 3) -> AdapterTiers:
    return AdapterTiers(disk, arena_of(slots), host * SIZE)


def _want(tiers: AdapterTiers, *names: str) -> None:
    for name in names:
        tiers.want(name)


def _standings(tiers: AdapterTiers, names: str) -> list[str]:
    return [tiers.standing(name) for name in names]


def _filled(disk: Disk, host: int) -> tuple[AdapterTiers, ByHand]:
    """A host tier that is full of a, b, ... which requests want."""
    tiers = _tiers(disk, host)
    threads = by_hand(tiers)
    for name in NAMES[:host]:
        tiers.want(name)
        threads.run(name)
    return tiers, threads


def test_what_a_request_wants_is_read_ahead_once_however_many_want_it(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    _want(tiers, "a", "a", "b", "a")
    assert threads.names == ["a", "b"]
    assert _standings(tiers, "abc") == ["loading", "loading", "ready"]
    threads.run("a", "b")
    assert _standings(tiers, "ab") == ["ready", "ready"]
    residence = tiers.ensure_resident(["a", "b"])
    assert residence.errors == {}
    assert _standings(tiers, "ab") == ["device", "device"]
    assert disk.read_names == ["a", "b"]
    counters = tiers.use()["host"].counters
    assert (counters.prefetched, counters.prefetched_used) == (2, 2)
    assert (counters.hits, counters.misses, counters.cancelled) == (0, 2, 0)


def test_reads_begin_in_the_order_of_wanting(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "READERS", 1)
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    _want(tiers, "c", "a", "d", "a", "b")
    assert tiers.use()["host"].counters.waiting == 3
    threads.run_all()
    assert disk.read_names == ["c", "a", "d", "b"]


def test_who_is_wanted_no_more_leaves_the_line_unless_another_wants_it(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "READERS", 1)
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    _want(tiers, "a", "b", "c", "c")
    tiers.unwant("b")
    tiers.unwant("c")
    threads.run_all()
    assert disk.read_names == ["a", "c"]
    assert tiers.use()["host"].counters.cancelled == 1
    tiers.unwant("never wanted")


def test_a_read_under_way_that_nobody_wants_any_more_is_kept_only_if_there_is_room(
    disk: Disk,
) -> None:
    tiers = _tiers(disk, host=1)
    threads = by_hand(tiers)
    _want(tiers, "a", "b")
    tiers.unwant("a")
    tiers.unwant("b")
    threads.run("a", "b")
    assert [tiers.tier(name) for name in "ab"] == ["host", "disk"]
    assert tiers.use()["host"].counters.cancelled == 2


def test_a_slow_disk_holds_up_only_those_who_need_that_file(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    gate = disk.gates["a"] = threading.Event()
    ready = threading.Event()
    tiers.on_ready = ready.set
    tiers.want("a")
    assert disk.reached.acquire(timeout=DEADLINE_S)
    assert tiers.standing("a") == "loading"
    # All of this in the very thread that would otherwise hang.
    tiers.want("b")
    assert tiers.ensure_resident(["b", "c"]).errors == {}
    tiers.release(["b", "c"])
    tiers.pin("d", pinned=True)
    tiers.forget("d")
    assert tiers.use()["host"].resident == 2
    assert tiers.standing("a") == "loading"
    ready.clear()
    gate.set()
    assert ready.wait(DEADLINE_S)
    assert tiers.standing("a") == "ready"
    assert tiers.ensure_resident(["a"]).errors == {}
    assert sorted(disk.read_names) == ["a", "b", "c"]


def test_a_batch_joins_the_read_that_is_under_way(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    gate = disk.gates["a"] = threading.Event()
    tiers.want("a")
    assert disk.reached.acquire(timeout=DEADLINE_S)
    given: list[int | None] = []
    batches = [
        threading.Thread(target=lambda: given.extend(tiers.ensure_resident(["a"]).slots))
        for _ in range(3)
    ]
    for batch in batches:
        batch.start()
    gate.set()
    for batch in batches:
        batch.join(DEADLINE_S)
    assert given == [given[0]] * 3
    assert given[0] is not None
    assert holds(tiers.arena, given[0], disk.kept["a"])
    assert disk.read_names == ["a"]
    counters = tiers.use()["device"].counters
    assert (counters.hits, counters.misses) == (2, 1)


def test_a_batch_does_not_wait_in_line(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "READERS", 1)
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    _want(tiers, "a", "b")
    assert tiers.ensure_resident(["b"]).errors == {}
    threads.run("a")
    assert threads.names == []
    assert disk.read_names == ["b", "a"]


def test_a_host_full_of_what_is_wanted_takes_the_next_when_one_is_released(disk: Disk) -> None:
    tiers, threads = _filled(disk, host=2)
    _want(tiers, "c", "d")
    assert threads.names == []
    assert _standings(tiers, "abcd") == ["ready", "ready", "loading", "loading"]
    tiers.ensure_resident(["a"])
    tiers.unwant("a")
    assert threads.names == []
    tiers.release(["a"])
    assert threads.names == ["c"]
    threads.run("c")
    assert _standings(tiers, "cd") == ["ready", "loading"]
    assert disk.read_names == ["a", "b", "c"]


def test_a_batch_is_served_past_a_host_that_is_full_of_what_is_wanted(disk: Disk) -> None:
    tiers, _ = _filled(disk, host=2)
    _want(tiers, "c")
    assert tiers.ensure_resident(["c", "d"]).errors == {}
    assert [tiers.tier(name) for name in "abcd"] == ["host", "host", "device", "device"]


@pytest.mark.parametrize("host", [0, 1])
def test_what_can_never_be_kept_on_the_host_is_ready_at_once(disk: Disk, host: int) -> None:
    """Not even when all requests end is there room: none at all, or a pin has it."""
    tiers = _tiers(disk, host)
    threads = by_hand(tiers)
    tiers.ensure_resident(["a"])
    if host:
        tiers.pin("a", pinned=True)
    tiers.release(["a"])
    told: list[str] = []
    tiers.on_ready = lambda: told.append(tiers.standing("b"))
    tiers.want("b")
    assert told == ["ready"]
    assert threads.names == []
    assert tiers.ensure_resident(["b"]).errors == {}


def test_a_failed_read_is_that_adapters_error_and_tried_again_at_the_next_want(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    disk.broken.add("a")
    _want(tiers, "a", "b")
    threads.run("a", "b")
    assert _standings(tiers, "ab") == ["ready", "ready"]
    disk.broken.remove("a")
    residence = tiers.ensure_resident(["a", "b"])
    assert isinstance(residence.errors["a"], Damaged)
    assert residence.slots[1] is not None
    tiers.release(["a", "b"])
    tiers.want("a")
    assert tiers.standing("a") == "loading"
    threads.run("a")
    assert tiers.ensure_resident(["a"]).errors == {}
    assert disk.read_names == ["a", "b", "a"]


def test_the_next_want_tries_again_though_others_still_want_it(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    disk.broken.add("a")
    tiers.want("a")
    threads.run("a")
    disk.broken.remove("a")
    tiers.want("a")
    threads.run("a")
    assert tiers.ensure_resident(["a"]).errors == {}


def test_an_error_is_not_remembered_when_its_request_has_ended(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    disk.broken.add("a")
    tiers.want("a")
    threads.run("a")
    tiers.unwant("a")
    disk.broken.remove("a")
    assert tiers.ensure_resident(["a"]).errors == {}


def test_an_adapter_forgotten_while_it_is_read_is_not_kept(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    tiers.want("a")
    tiers.forget("a")
    assert tiers.standing("a") == "ready"
    threads.run("a")
    assert tiers.tier("a") == "disk"
    # It has come back since, under the same name: it is the same content.
    tiers.want("a")
    threads.run("a")
    assert tiers.tier("a") == "host"


def test_an_adapter_forgotten_in_line_leaves_it(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "READERS", 1)
    tiers = _tiers(disk, host=8)
    threads = by_hand(tiers)
    _want(tiers, "a", "b")
    tiers.forget("b")
    threads.run("a")
    assert threads.names == []
    assert tiers.standing("b") == "ready"


def test_after_closing_nothing_is_read_ahead_and_batches_are_served(disk: Disk) -> None:
    tiers = _tiers(disk, host=8)
    tiers.close()
    tiers.want("a")
    assert tiers.standing("a") == "ready"
    assert disk.read_names == []
    assert tiers.ensure_resident(["a"]).errors == {}


@pytest.mark.parametrize("forgotten_first", [True, False])
def test_what_a_request_wants_outlives_the_batch_that_held_it_when_it_was_forgotten(
    disk: Disk, forgotten_first: bool
) -> None:
    tiers = _tiers(disk, host=8)
    assert tiers.ensure_resident(["a"]).errors == {}
    steps = [tiers.forget, tiers.want]
    for step in steps if forgotten_first else reversed(steps):
        step("a")
    tiers.release(["a"])
    assert tiers.tier("a") == "device"
    assert tiers.use()["host"].resident == 1
    tiers.unwant("a")
    assert tiers.tier("a") == "disk"
    assert tiers.use()["host"].resident == 0
    assert tiers._forgotten == set()
