"""The tiers in any order of wants, reads, batches, pins, removals and failures."""

from __future__ import annotations

from collections import Counter

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import BadInput, Damaged, Unavailable
from engine.memory.arena import AdapterArena
from engine.memory.tiers import AdapterTiers, Residence
from engine.model.adapters import AdapterWeights
from tests.engine.memory.conftest import SHAPE, arena_of, holds, made
from tests.engine.memory.readers import Disk, by_hand

SLOTS = 3
POOL = 4096
LABELS = {"a": 2, "b": 2, "c": 3, "d": 60, "e": 2, "f": 1500, "g": 3000, "h": 4096}
KEPT: dict[str, AdapterWeights] = {
    **{name: made(seed, labels) for seed, (name, labels) in enumerate(LABELS.items())},
    "narrow": made(20, rank=1),
    "wide": made(21, rank=SHAPE.rank + 1),
}
HOST = 4 * KEPT["a"].nbytes + KEPT["f"].nbytes
NAMES = [*KEPT, "missing"]
some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)
one = st.sampled_from(NAMES)


class BrittleArena(AdapterArena):
    """Has no memory left while `full`."""

    full = False

    def fill(self, slot: int, adapter: AdapterWeights) -> None:
        if self.full:
            self.weights.down[:, slot] = torch.nan
            raise torch.OutOfMemoryError("no memory left")
        super().fill(slot, adapter)


class TiersMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.arena = BrittleArena(
            SHAPE, SLOTS * arena_of(1).slot_bytes, torch.device("cpu"), torch.float32
        )
        self.disk = Disk(KEPT)
        self.tiers = AdapterTiers(self.disk, self.arena, HOST)
        self.tiers.on_ready = self.hear
        self.threads = by_hand(self.tiers)
        self.batches: list[tuple[list[str], Residence]] = []
        self.wants: Counter[str] = Counter()
        self.pinned: set[str] = set()
        self.must_stay: tuple[set[str], dict[str, int]] = (set(), {})
        self.forgotten: set[str] = set()
        self.given = 0
        self.heard = False

    def hear(self) -> None:
        assert not self.tiers._lock.locked()
        self.heard = True

    @property
    def held(self) -> set[str]:
        return {name for names, _ in self.batches for name in names}

    @rule(names=some)
    def a_batch_comes(self, names: list[str]) -> None:
        # A batch joins the reads of its adapters that are under way; here these must end first.
        self.threads.run(*(n for n in self.threads.names if n in names))
        failed = set(self.tiers._loader._failed)
        residence = self.tiers.ensure_resident(names)
        self.batches.append((names, residence))
        self.given += sum(slot is not None for slot in residence.slots)
        for name in set(names):
            self.explain(name, residence.errors.get(name), name in failed)

    def explain(self, name: str, error: Exception | None, failed_before: bool) -> None:
        """An error has its reason, and without one there is none."""
        here = name in self.tiers._device.slots
        assert here == (error is None)
        if isinstance(error, Damaged):
            assert failed_before or name == "missing" or name in self.disk.broken
        elif isinstance(error, BadInput):
            assert name == "wide"
        elif isinstance(error, Unavailable) and error.code == "device_memory":
            assert self.arena.full
        elif error is not None:
            assert isinstance(error, Unavailable)
            fixed = [n for n in self.tiers._device.slots if n in self.held | self.pinned]
            rows = sum(KEPT[n].labels for n in fixed)
            assert len(fixed) == SLOTS or rows + KEPT[name].labels > POOL

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def a_batch_is_done(self, data: st.DataObject) -> None:
        names, _ = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        self.tiers.release(names)

    @rule(name=one)
    def a_request_comes(self, name: str) -> None:
        self.tiers.want(name)
        self.wants[name] += 1

    @precondition(lambda self: +self.wants)
    @rule(data=st.data())
    def a_request_ends(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(+self.wants)))
        self.tiers.unwant(name)
        self.wants[name] -= 1

    @precondition(lambda self: self.threads.waiting)
    @rule(data=st.data())
    def a_read_ends(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.threads.names))
        was_loading = self.tiers.standing(name) == "loading"
        self.heard = False
        self.threads.run(name)
        # What was forgotten and is wanted again is read a second time.
        again = name in self.threads.names
        assert again or self.tiers.standing(name) != "loading"
        assert self.heard or not was_loading

    @rule(name=one, pinned=st.booleans())
    def the_operator_pins(self, name: str, pinned: bool) -> None:
        self.tiers.pin(name, pinned=pinned)
        (self.pinned.add if pinned else self.pinned.discard)(name)

    @rule(name=one)
    def an_adapter_is_forgotten(self, name: str) -> None:
        self.tiers.forget(name)
        self.pinned.discard(name)
        self.forgotten.add(name)
        if name not in self.held:
            assert self.tiers.tier(name) == "disk"

    @rule(name=one, broken=st.booleans())
    def a_file_is_damaged_or_mended(self, name: str, broken: bool) -> None:
        (self.disk.broken.add if broken else self.disk.broken.discard)(name)

    @rule(full=st.booleans())
    def the_device_runs_out_of_memory_or_recovers(self, full: bool) -> None:
        self.arena.full = full

    @invariant()
    def every_slot_holds_the_adapter_whose_it_is(self) -> None:
        for name, slot in self.tiers._device.slots.items():
            assert holds(self.arena, slot, KEPT[name])
        for names, residence in self.batches:
            for name, given in zip(names, residence.slots, strict=True):
                assert (given is None) == (name in residence.errors)
                assert given is None or given == self.tiers._device.slots[name]

    @invariant()
    def what_is_held_wanted_or_pinned_stays(self) -> None:
        host, device = self.must_stay
        gone = self.forgotten
        assert {n for n in host if n not in gone and self.needed(n)} <= set(
            self.tiers._host._weights
        )
        for name, slot in device.items():
            if name not in gone and (name in self.held or name in self.pinned):
                assert self.tiers._device.slots[name] == slot
        self.forgotten = set()
        kept = {n for n in self.tiers._host._weights if self.needed(n)}
        self.must_stay = kept, dict(self.tiers._device.slots)

    def needed(self, name: str) -> bool:
        return self.wants[name] > 0 or name in self.held or name in self.pinned

    @invariant()
    def budgets_hold_and_nothing_leaks(self) -> None:
        host, device = self.tiers._host, self.tiers._device
        assert host.bytes == sum(w.nbytes for w in host._weights.values())
        assert host.bytes + host._expected <= host.budget
        assert len(device.slots) + self.arena.slots_left == SLOTS
        assert self.tiers._held.keys() == self.held
        assert self.tiers._loader._ahead == len(self.threads.waiting)

    @invariant()
    def only_the_idle_may_be_evicted(self) -> None:
        host, device = self.tiers._host, self.tiers._device
        idle = {n for n in host._weights if not self.needed(n)}
        assert set(host.policy._candidates) == idle
        assert host._spare == sum(KEPT[n].nbytes for n in idle)
        free = {n for n in device.slots if n not in self.held and n not in self.pinned}
        assert set(device.policy._candidates) == {n for n in free if not self.wants[n]}
        assert set(device._wanted) == {n for n in free if self.wants[n]}

    @invariant()
    def counters_add_up(self) -> None:
        use = self.tiers.use()
        device, host = use["device"].counters, use["host"].counters
        assert device.hits + device.misses == self.given
        assert host.misses <= len(self.disk.read_names)
        assert host.waiting == len(self.tiers._loader._line)
        assert all(found.bytes <= found.budget for found in use.values())

    def teardown(self) -> None:
        """Everything that is ready is served, until all have been: nobody waits for ever."""
        for names, _ in self.batches:
            self.tiers.release(names)
        while +self.wants:
            self.threads.run_all()
            served = [n for n in +self.wants if self.tiers.standing(n) != "loading"]
            assert served
            for name in served:
                for _ in range(self.wants.pop(name)):
                    self.tiers.unwant(name)
        self.threads.run_all()
        assert not self.tiers._held
        assert not self.tiers._claims._wants
        assert not self.tiers._loader._line
        assert not self.tiers._loader._reads
        assert not self.tiers._loader._failed
        assert self.tiers._host._expected == 0


TestTiersInAnyOrder = TiersMachine.TestCase
TestTiersInAnyOrder.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
