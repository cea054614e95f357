"""The tiers against a slow model of them: any order of batches, pins and removals."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import BadInput, Damaged, Unavailable
from engine.memory.tiers import AdapterTiers, Residence
from engine.model.adapters import AdapterWeights
from tests.engine.memory.conftest import SHAPE, arena_of, holds, made

SLOTS = 3
POOL = 4096
LABELS = {"a": 2, "b": 2, "c": 3, "d": 60, "e": 2, "f": 1500, "g": 3000, "h": 4096}
KEPT: dict[str, AdapterWeights] = {
    **{name: made(seed, labels) for seed, (name, labels) in enumerate(LABELS.items())},
    "narrow": made(20, rank=1),
}
WIDE = made(21, rank=SHAPE.rank + 1)
HOST = 4 * KEPT["a"].nbytes + KEPT["f"].nbytes
NAMES = [*KEPT, "wide", "broken"]
some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4)


class Disk:
    def read(self, adapter: str) -> AdapterWeights:
        if adapter == "broken":
            raise Damaged("Adapter broken is not usable.")
        return WIDE if adapter == "wide" else KEPT[adapter]


class Model:
    """Two lists in order of use, and the counters."""

    def __init__(self) -> None:
        self.host: list[str] = []
        self.device: list[str] = []
        self.held: Counter[str] = Counter()
        self.pinned: set[str] = set()
        self.forgotten: set[str] = set()
        self.done: Counter[str] = Counter()

    def idle(self, tier: list[str]) -> list[str]:
        return [n for n in tier if not self.held[n] and n not in self.pinned]

    def ensure(self, names: list[str]) -> dict[str, type[Exception]]:
        self.held.update(names)
        failed = {n: self.load(n) for n in names}
        return {n: error for n, error in failed.items() if error is not None}

    def load(self, name: str) -> type[Exception] | None:
        if name in self.device:
            self.done["device hits"] += 1
            self.device.append(self.device.pop(self.device.index(name)))
            return None
        if name == "broken":
            return Damaged
        self.host_load(name)
        if name == "wide":
            return BadInput
        victims = self.victims(LABELS.get(name, 2))
        if victims is None:
            return Unavailable
        self.device = [*(n for n in self.device if n not in victims), name]
        self.done["device misses"] += 1
        self.done["device evictions"] += len(victims)
        self.done["device bytes"] += KEPT[name].nbytes
        return None

    def host_load(self, name: str) -> None:
        if name in self.host:
            self.done["host hits"] += 1
            self.host.append(self.host.pop(self.host.index(name)))
            return
        size = Disk().read(name).nbytes
        self.done["host misses"] += 1
        self.done["host bytes"] += size
        for count in range(len(self.idle(self.host)) + 1):
            gone = self.idle(self.host)[:count]
            kept = [n for n in self.host if n not in gone]
            if sum(Disk().read(n).nbytes for n in kept) + size <= HOST:
                self.host = [*kept, name]
                self.done["host evictions"] += count
                return

    def victims(self, labels: int) -> list[str] | None:
        idle = self.idle(self.device)
        for count in range(len(idle) + 1):
            kept = [n for n in self.device if n not in idle[:count]]
            if len(kept) < SLOTS and sum(LABELS.get(n, 2) for n in kept) + labels <= POOL:
                return idle[:count]
        return None

    def drop(self, name: str) -> None:
        self.forgotten.discard(name)
        self.host = [n for n in self.host if n != name]
        self.device = [n for n in self.device if n != name]

    def release(self, names: list[str]) -> None:
        self.held.subtract(names)
        for name in [n for n in self.forgotten if not self.held[n]]:
            self.drop(name)


class TiersMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.tiers = AdapterTiers(Disk(), arena_of(SLOTS), HOST)
        self.model = Model()
        self.batches: list[tuple[list[str], Residence]] = []

    @rule(names=some)
    def a_batch_comes(self, names: list[str]) -> None:
        expected = self.model.ensure(names)
        residence = self.tiers.ensure_resident(names)
        assert {n: type(e) for n, e in residence.errors.items()} == expected
        assert len(residence.slots) == len(names)
        self.batches.append((names, residence))

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def a_batch_is_done(self, data: st.DataObject) -> None:
        names, _ = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        self.tiers.release(names)
        self.model.release(names)

    @rule(name=st.sampled_from(NAMES), pinned=st.booleans())
    def the_operator_pins(self, name: str, pinned: bool) -> None:
        self.tiers.pin(name, pinned=pinned)
        if pinned:
            self.model.pinned.add(name)
            self.model.forgotten.discard(name)
        else:
            self.model.pinned.discard(name)

    @rule(name=st.sampled_from(NAMES))
    def an_adapter_is_forgotten(self, name: str) -> None:
        self.tiers.forget(name)
        self.model.pinned.discard(name)
        if self.model.held[name]:
            self.model.forgotten.add(name)
        else:
            self.model.drop(name)

    @invariant()
    def every_batch_under_way_has_its_own_adapters_in_its_slots(self) -> None:
        for names, residence in self.batches:
            for name, slot in zip(names, residence.slots, strict=True):
                assert (slot is None) == (name in residence.errors)
                assert slot is None or holds(self.tiers.arena, slot, KEPT[name])

    @invariant()
    def both_tiers_hold_what_the_model_holds_in_its_order(self) -> None:
        assert list(self.tiers._device) == self.model.device
        assert list(self.tiers._host) == self.model.host
        for name in NAMES:
            tier = self.tiers.tier(name)
            assert (tier == "device") == (name in self.model.device)
            assert tier != "disk" or name not in self.model.host

    @invariant()
    def budgets_hold_and_counters_add_up(self) -> None:
        use = self.tiers.use()
        for tier, found in use.items():
            counters = found.counters
            assert found.bytes <= found.budget
            assert {
                f"{tier} hits": counters.hits,
                f"{tier} misses": counters.misses,
                f"{tier} evictions": counters.evictions,
                f"{tier} bytes": counters.bytes_moved,
            } == {
                f"{tier} {what}": self.model.done[f"{tier} {what}"]
                for what in ("hits", "misses", "evictions", "bytes")
            }
        assert use["host"].bytes == sum(Disk().read(n).nbytes for n in self.model.host)


TestTiersInAnyOrder = TiersMachine.TestCase
TestTiersInAnyOrder.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
