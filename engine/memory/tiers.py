"""The three tiers of adapters and the one way up: disk -> host -> device.

An adapter is read from disk from the moment a request wants it, and copied to a slot when its batch
is loaded, while the one before is computed. Not earlier: the copy takes an eighth of a millisecond,
and slots filled for requests whose batches come later are lost again to those that come sooner. An
adapter in a batch that is under way is held; so is one the operator pinned; what waiting requests
want stays on the host.
Adapters are named by their blob's sha256, so what is loaded under a name can never be another
tenant's. The lock guards who is where; no file is read and no slot is filled under it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from engine.memory.arena import AdapterArena
from engine.memory.claims import Claims
from engine.memory.counters import Move, SlotUse, Standing, TierCounters, TierName, TierUse
from engine.memory.device import DeviceTier
from engine.memory.host import HostTier
from engine.memory.landing import Landing, Landings
from engine.memory.loader import AdapterSource, Loader
from engine.memory.policy import EvictionPolicy, best_policy
from engine.memory.transfer import Arrival, Arrived
from engine.model.adapters import AdapterWeights
from engine.process import without_frames

__all__ = [
    "AdapterSource",
    "AdapterTiers",
    "Residence",
    "Standing",
    "TierCounters",
    "TierName",
    "TierUse",
]


@dataclass(frozen=True, slots=True)
class Residence:
    """`slots[i]` for adapter i, or the error that kept it out."""

    slots: tuple[int | None, ...]
    errors: dict[str, Exception]
    arrival: Arrival = field(default_factory=Arrived)

    def wait(self, stream: torch.cuda.Stream | None = None) -> None:
        """Let `stream` (None: the calling thread's) go on only once the slots are filled."""
        self.arrival.wait(stream)


class AdapterTiers:
    """Thread-safe."""

    def __init__(
        self,
        source: AdapterSource,
        arena: AdapterArena,
        host_budget: int,
        policy: Callable[[], EvictionPolicy] = best_policy,
    ) -> None:
        self.arena = arena
        self.on_ready: Callable[[], None] = lambda: None
        """Called, without locks and in any thread, when adapters have stopped loading."""
        self.on_move: Callable[[Move], None] = lambda _: None
        """Called, without locks and in any thread, when an adapter has come up a tier."""
        self._source = source
        self._held: Counter[str] = Counter()
        self._pinned: set[str] = set()
        self._forgotten: set[str] = set()
        self._claims = Claims(self._held, self._pinned)
        self._lock = threading.Lock()
        self._host = HostTier(host_budget, policy())
        self._device = DeviceTier(arena, policy())
        self._loader = Loader(
            source, self._host, self._claims, self._lock, self._settle, self._tell, self._moved
        )
        self._landings = Landings(
            arena, self._device, self._loader, self._lock, self._settle, self._moved
        )

    def tier(self, adapter: str) -> TierName:
        """The fastest tier that holds it now."""
        if adapter in self._device.slots:
            return "device"
        return "host" if adapter in self._host else "disk"

    def standing(self, adapter: str) -> Standing:
        """Whether a batch may take it without waiting for the disk. What cannot be loaded is
        "ready": a batch that takes it hears the error."""
        if adapter in self._device.slots:
            return "device"
        waited_for = self._claims.wanted(adapter) and self._loader.loading(adapter)
        return "loading" if waited_for else "ready"

    def read(self, adapter: str) -> AdapterWeights:
        """An adapter's weights, from wherever they are; no tier changes."""
        weights = self._host.get(adapter)
        return self._source.read(adapter) if weights is None else weights

    def want(self, adapter: str) -> None:
        """A request for it was accepted; undo it with `unwant` when that has ended."""
        with self._lock:
            self._claims.want(adapter)
            self._settle(adapter)
            if adapter not in self._device.slots:
                self._loader.line_up(adapter)
        self._tell()

    def unwant(self, adapter: str) -> None:
        """Undo one `want`: the request has its answer or needs none any more."""
        with self._lock:
            if self._claims.unwant(adapter):
                self._loader.cancel(adapter)
                self._loosen(adapter)
                self._loader.go_on()
        self._tell()

    def ensure_resident(self, adapters: Sequence[str]) -> Residence:
        """Bring `adapters` into slots and hold them there until `release`.

        An adapter that cannot be loaded has no slot and its error; the others are untouched.
        """
        slots: dict[str, int] = {}
        errors: dict[str, Exception] = {}
        mine: list[str] = []
        theirs: dict[str, Landing] = {}
        with self._lock:
            # Held first, so that making room for one never throws out another of this batch.
            self._held.update(adapters)
            for adapter in dict.fromkeys(adapters):
                self._settle(adapter)
                landing = self._landings.of(adapter)
                if landing is not None:
                    theirs[adapter] = landing
                elif (slot := self._device.take(adapter)) is not None:
                    slots[adapter] = slot
                else:
                    self._landings.begin(adapter)
                    mine.append(adapter)
        # First what is in memory, and last what others bring, who may be waiting for these.
        for adapter in sorted(mine, key=lambda name: name not in self._host):
            try:
                slots[adapter] = self._landings.land(adapter)
            except Exception as error:  # noqa: BLE001 - reported per adapter
                errors[adapter] = without_frames(error)
        landed = len(slots.keys() & set(mine))
        for adapter, landing in theirs.items():
            try:
                slots[adapter] = self._landings.join(adapter, landing)
            except Exception as error:  # noqa: BLE001 - reported per adapter
                errors[adapter] = without_frames(error)
        found = tuple(slots.get(adapter) for adapter in adapters)
        with self._lock:
            hits = sum(slot is not None for slot in found) - landed
            self._device.counters = self._device.counters.plus(hits=hits)
        self._tell()
        return Residence(found, errors, self.arena.transfer.arrival())

    def release(self, adapters: Sequence[str]) -> None:
        """Undo one `ensure_resident` of the same adapters, once nothing reads their slots."""
        with self._lock:
            self._let_go(adapters)
        self._tell()

    def pin(self, adapter: str, *, pinned: bool) -> None:
        """Keep an adapter from being evicted, or stop keeping it."""
        with self._lock:
            if pinned:
                self._pinned.add(adapter)
                self._forgotten.discard(adapter)
            else:
                self._pinned.discard(adapter)
            self._settle(adapter)
            self._loader.go_on()
        self._tell()

    def forget(self, adapter: str) -> None:
        """Drop an adapter that no vPLM uses any more; one in a batch, once nothing needs it."""
        with self._lock:
            self._pinned.discard(adapter)
            self._settle(adapter)
            if adapter in self._held:
                self._forgotten.add(adapter)
            else:
                self._drop(adapter)
            self._loader.go_on()
        self._tell()

    def use(self) -> dict[TierName, TierUse]:
        """What the host and device tiers hold, and have done."""
        with self._lock:
            arena, host, device = self.arena, self._host, self._device
            counters = replace(host.counters, waiting=self._loader.waiting)
            return {
                "host": TierUse(
                    len(host), host.bytes, host.budget, self._claims.waited_for, counters
                ),
                "device": TierUse(
                    len(device.slots),
                    len(device.slots) * arena.slot_bytes,
                    arena.slots * arena.slot_bytes,
                    len(self._held),
                    device.counters,
                ),
            }

    def slots(self, first: int, count: int) -> dict[int, SlotUse]:
        """What is in the slots `first` to `first + count` that are filled."""
        end, policy = first + count, self._device.policy
        with self._lock:
            here = {at: name for name, at in self._device.slots.items() if first <= at < end}
            pinned, held = self._pinned.intersection(here.values()), set(self._held)
        return {
            at: SlotUse(name, policy.heat(name), pinned=name in pinned, held=name in held)
            for at, name in here.items()
        }

    def close(self) -> None:
        """Read nothing ahead any more; everything else goes on."""
        with self._lock:
            self._loader.close()
        self._tell()

    def _let_go(self, adapters: Sequence[str]) -> None:
        self._held.subtract(adapters)
        for adapter in dict.fromkeys(adapters):
            if self._held[adapter] <= 0:
                del self._held[adapter]
                self._loosen(adapter)
        self._loader.go_on()

    def _loosen(self, adapter: str) -> None:
        """A claim on it has ended."""
        if adapter in self._forgotten and not self._claims.needed(adapter):
            self._drop(adapter)
        else:
            self._settle(adapter)

    def _settle(self, adapter: str) -> None:
        """Tell the tiers what an adapter's claims are now."""
        claims = self._claims
        fixed, wanted = claims.fixed(adapter), claims.wanted(adapter)
        free, pinned = not fixed and not wanted, claims.pinned(adapter)
        self._host.settle(adapter, free=free, pinned=pinned)
        self._device.settle(adapter, free=not fixed, wanted=wanted)

    def _drop(self, adapter: str) -> None:
        self._forgotten.discard(adapter)
        self._device.drop(adapter)
        self._host.drop(adapter)
        self._loader.forget(adapter)

    def _moved(self, move: Move) -> None:
        self.on_move(move)

    def _tell(self) -> None:
        if not self._loader.news:
            return
        # Under the lock: who sets it has then made the change that it tells of.
        with self._lock:
            news, self._loader.news = self._loader.news, False
        if news:
            self.on_ready()
