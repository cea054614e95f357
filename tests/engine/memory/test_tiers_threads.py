from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import pytest

from engine.errors import Unavailable
from engine.memory.tiers import AdapterTiers, Residence
from engine.model.adapters import AdapterWeights
from tests.engine.memory.conftest import arena_of, holds, made

KEPT = {f"adapter-{n}": made(n, labels=2 + n % 5) for n in range(12)}
NAMES = sorted(KEPT)
ROUNDS = 100
THREADS = 3
ASKING = 2


class Disk:
    def read(self, adapter: str) -> AdapterWeights:
        return KEPT[adapter]


@dataclass
class Crowd:
    """Threads that load and let go, and what went wrong among them."""

    tiers: AdapterTiers
    start: threading.Barrier = field(
        default_factory=lambda: threading.Barrier(THREADS + ASKING + 1)
    )
    stop: threading.Event = field(default_factory=threading.Event)
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def check(self, names: list[str], residence: Residence) -> None:
        for name, slot in zip(names, residence.slots, strict=True):
            if slot is not None and not holds(self.tiers.arena, slot, KEPT[name]):
                self.wrong.append(f"slot {slot} does not hold {name}")

    def load(self, seed: int) -> None:
        """Each batch is checked twice, with other threads at work in between."""
        rng = random.Random(seed)
        self.start.wait(10)
        for _ in range(ROUNDS):
            names = rng.sample(NAMES, 3)
            residence = self.tiers.ensure_resident(names)
            for name, error in residence.errors.items():
                wanted = self.refused if isinstance(error, Unavailable) else self.wrong
                wanted.append(f"{name}: {error!r}")
            self.check(names, residence)
            self.tiers.use()
            self.check(names, residence)
            self.tiers.release(names)

    def ask(self, seed: int) -> None:
        """Requests that come, see where their adapter is, and go."""
        rng = random.Random(seed)
        self.start.wait(10)
        while not self.stop.is_set():
            wanted = [rng.choice(NAMES) for _ in range(4)]
            for name in wanted:
                self.tiers.want(name)
            self.tiers.standing(rng.choice(wanted))
            for name in wanted:
                self.tiers.unwant(name)

    def forget(self) -> None:
        rng = random.Random(99)
        self.start.wait(10)
        while not self.stop.is_set():
            self.tiers.forget(rng.choice(NAMES))

    def run(self) -> None:
        loading = [threading.Thread(target=self.load, args=(n,)) for n in range(THREADS)]
        others = [threading.Thread(target=self.forget)]
        others += [threading.Thread(target=self.ask, args=(n,)) for n in range(ASKING)]
        for thread in (*loading, *others):
            thread.start()
        for thread in loading:
            thread.join(20)
        self.stop.set()
        for thread in others:
            thread.join(10)
        assert not any(thread.is_alive() for thread in (*loading, *others))


@pytest.mark.parametrize("slots", [4, 9])
def test_threads_that_load_evict_and_forget_never_see_another_adapter(slots: int) -> None:
    """In 9 slots three batches of three always fit; with 4 some must hear that none is free."""
    tiers = AdapterTiers(Disk(), arena_of(slots), 5 * KEPT["adapter-0"].nbytes)
    crowd = Crowd(tiers)
    crowd.run()
    assert crowd.wrong == []
    if slots == 9:
        assert crowd.refused == []
    counters = tiers.use()["device"].counters
    assert counters.hits + counters.misses + len(crowd.refused) == THREADS * ROUNDS * 3
    assert not tiers._held
    assert not tiers._claims._wants
    assert not tiers._landings._under_way
    assert not tiers._loader._line
    assert tiers.arena.slots_left + tiers.use()["device"].resident == slots
    tiers._loader._threads.shutdown()
    assert not tiers._loader._reads
    assert tiers._host._expected == 0
    assert tiers.use()["host"].bytes <= tiers.use()["host"].budget
    residence = tiers.ensure_resident(NAMES[:4])
    assert residence.errors == {}
    crowd.check(NAMES[:4], residence)
    assert crowd.wrong == []
