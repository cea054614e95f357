from __future__ import annotations

import threading

import pytest
import torch

from engine.errors import Unavailable
from engine.memory.arena import AdapterArena
from engine.memory.policy import LeastRecent
from engine.memory.tiers import AdapterTiers, Residence
from engine.model.adapters import AdapterWeights
from tests.engine.memory.conftest import SHAPE, arena_of, holds, made
from tests.engine.memory.readers import DEADLINE_S, Disk, by_hand

SIZE = made(0).nbytes
KEPT = {name: made(n) for n, name in enumerate("abcdefgh")}


class GatedArena(AdapterArena):
    """Stops half-way through a copy, while `gate` is closed."""

    def __init__(self, slots: int) -> None:
        budget = slots * arena_of(1).slot_bytes
        super().__init__(SHAPE, budget, torch.device("cpu"), torch.float32)
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Semaphore(0)
        self.fills = 0
        self.error: Exception | None = None

    def fill(self, slot: int, adapter: AdapterWeights) -> None:
        self.fills += 1
        self.weights.up[:, slot] = torch.nan
        if not self.gate.is_set():
            self.reached.release()
            assert self.gate.wait(DEADLINE_S)
        if self.error is not None:
            raise self.error
        super().fill(slot, adapter)


def _tiers(slots: int, host: int = 8) -> tuple[AdapterTiers, GatedArena, Disk]:
    arena, disk = GatedArena(slots), Disk(KEPT)
    return AdapterTiers(disk, arena, host * SIZE, LeastRecent), arena, disk


def _visit(tiers: AdapterTiers, *names: str) -> None:
    for name in names:
        assert tiers.ensure_resident([name]).errors == {}
        tiers.release([name])


def _ensure(tiers: AdapterTiers, name: str, into: list[Residence]) -> threading.Thread:
    thread = threading.Thread(target=lambda: into.append(tiers.ensure_resident([name])))
    thread.start()
    return thread


def test_a_copy_under_way_holds_up_nobody_and_is_seen_only_when_it_is_done() -> None:
    tiers, arena, _ = _tiers(slots=3)
    _visit(tiers, "a")
    arena.gate.clear()
    got: list[Residence] = []
    copying = _ensure(tiers, "b", got)
    assert arena.reached.acquire(timeout=DEADLINE_S)
    assert tiers.tier("b") == "host"
    assert tiers.ensure_resident(["a"]).errors == {}
    tiers.want("c")
    tiers.unwant("c")
    assert tiers.use()["device"].resident == 1
    arena.gate.set()
    copying.join(DEADLINE_S)
    (residence,) = got
    assert residence.slots[0] is not None
    residence.wait()
    assert holds(arena, residence.slots[0], KEPT["b"])


def test_two_batches_that_need_one_adapter_at_once_cost_one_copy() -> None:
    tiers, arena, disk = _tiers(slots=3)
    arena.gate.clear()
    got: list[Residence] = []
    first = _ensure(tiers, "a", got)
    assert arena.reached.acquire(timeout=DEADLINE_S)
    second = _ensure(tiers, "a", got)
    assert got == []
    arena.gate.set()
    first.join(DEADLINE_S)
    second.join(DEADLINE_S)
    assert [r.slots for r in got] == [got[0].slots] * 2
    assert (arena.fills, disk.read_names) == (1, ["a"])


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("none left"), RuntimeError("broke")])
def test_a_copy_that_fails_frees_its_slot_and_is_that_adapters_error(error: Exception) -> None:
    tiers, arena, _ = _tiers(slots=1)
    arena.error = error
    failure = tiers.ensure_resident(["a"]).errors["a"]
    if isinstance(error, torch.OutOfMemoryError):
        assert isinstance(failure, Unavailable)
        assert failure.code == "device_memory"
        assert failure.__cause__ is error
    else:
        assert failure is error
    assert arena.slots_left == 1
    arena.error = None
    tiers.release(["a"])
    _visit(tiers, "b", "a")


def test_a_batch_takes_the_slot_of_a_request_that_waits_and_that_one_is_read_again() -> None:
    tiers, _, disk = _tiers(slots=1, host=0)
    _visit(tiers, "a")
    tiers.want("a")
    assert tiers.standing("a") == "device"
    assert tiers.ensure_resident(["b"]).errors == {}
    assert tiers.tier("b") == "device"
    assert tiers.standing("a") == "ready"
    assert disk.read_names == ["a", "b"]


def test_what_loses_its_slot_while_a_request_waits_is_lined_up_for_reading() -> None:
    tiers, _, _ = _tiers(slots=1, host=1)
    _visit(tiers, "a")
    threads = by_hand(tiers)
    tiers.want("b")
    threads.run("b")
    tiers.want("a")
    assert tiers.tier("a") == "device"
    assert tiers.ensure_resident(["b"]).errors == {}
    tiers.unwant("b")
    tiers.release(["b"])
    assert threads.names == ["a"]
    assert tiers.standing("a") == "loading"
