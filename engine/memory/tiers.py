"""The three tiers of adapters and the one way up: disk -> host -> device.

Both memory tiers evict the least recently used that nobody holds. An adapter in a batch that is
under way is held; so is one the operator pinned. Adapters are named by their blob's sha256, so
what is loaded under a name can never be another tenant's.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from engine.errors import Unavailable
from engine.memory.arena import AdapterArena
from engine.model.adapters import AdapterWeights

TierName = Literal["disk", "host", "device"]


class AdapterSource(Protocol):
    """The disk tier: reads one whole adapter or raises an error that names it."""

    def read(self, adapter: str) -> AdapterWeights: ...


@dataclass(frozen=True, slots=True)
class TierCounters:
    """Since start. `bytes_moved` and `seconds` are of loads into this tier."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    bytes_moved: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TierUse:
    resident: int
    bytes: int
    budget: int
    counters: TierCounters


@dataclass(frozen=True, slots=True)
class Residence:
    """`slots[i]` for adapter i, or the error that kept it out."""

    slots: tuple[int | None, ...]
    errors: dict[str, Exception]


class AdapterTiers:
    """Thread-safe."""

    def __init__(self, source: AdapterSource, arena: AdapterArena, host_budget: int) -> None:
        self._source = source
        self.arena = arena
        self._host_budget = host_budget
        self._host: OrderedDict[str, AdapterWeights] = OrderedDict()
        self._host_bytes = 0
        self._device: OrderedDict[str, int] = OrderedDict()
        self._held: Counter[str] = Counter()
        self._pinned: set[str] = set()
        self._forgotten: set[str] = set()
        self._lock = threading.RLock()
        self._host_counters = TierCounters()
        self._device_counters = TierCounters()

    def tier(self, adapter: str) -> TierName:
        """The fastest tier that holds it now."""
        if adapter in self._device:
            return "device"
        return "host" if adapter in self._host else "disk"

    def read(self, adapter: str) -> AdapterWeights:
        """An adapter's weights, from wherever they are; no tier changes."""
        weights = self._host.get(adapter)
        return self._source.read(adapter) if weights is None else weights

    def ensure_resident(self, adapters: Sequence[str]) -> Residence:
        """Bring `adapters` into slots and hold them there until `release`.

        An adapter that cannot be loaded has no slot and its error; the others are untouched.
        """
        slots: list[int | None] = []
        errors: dict[str, Exception] = {}
        with self._lock:
            # Held first, so that making room for one never throws out another of this batch.
            self._held.update(adapters)
            for adapter in adapters:
                try:
                    slots.append(self._slot(adapter))
                except Exception as error:  # noqa: BLE001 - reported per adapter
                    slots.append(None)
                    errors[adapter] = error
        return Residence(tuple(slots), errors)

    def release(self, adapters: Sequence[str]) -> None:
        """Undo one `ensure_resident` of the same adapters."""
        with self._lock:
            self._held.subtract(adapters)
            for adapter in adapters:
                if self._held[adapter] <= 0:
                    del self._held[adapter]
                    if adapter in self._forgotten:
                        self._drop(adapter)

    def pin(self, adapter: str, *, pinned: bool) -> None:
        """Keep an adapter from being evicted, or stop keeping it."""
        with self._lock:
            if pinned:
                self._pinned.add(adapter)
                self._forgotten.discard(adapter)
            else:
                self._pinned.discard(adapter)

    def forget(self, adapter: str) -> None:
        """Drop an adapter that no vPLM uses any more, once no batch holds it."""
        with self._lock:
            self._pinned.discard(adapter)
            if adapter in self._held:
                self._forgotten.add(adapter)
            else:
                self._drop(adapter)

    def use(self) -> dict[TierName, TierUse]:
        """What the host and device tiers hold, and have done."""
        with self._lock:
            arena = self.arena
            return {
                "host": TierUse(
                    len(self._host), self._host_bytes, self._host_budget, self._host_counters
                ),
                "device": TierUse(
                    len(self._device),
                    len(self._device) * arena.slot_bytes,
                    arena.slots * arena.slot_bytes,
                    self._device_counters,
                ),
            }

    def _drop(self, adapter: str) -> None:
        self._forgotten.discard(adapter)
        slot = self._device.pop(adapter, None)
        if slot is not None:
            self.arena.remove(slot)
        weights = self._host.pop(adapter, None)
        if weights is not None:
            self._host_bytes -= weights.nbytes

    def _slot(self, adapter: str) -> int:
        slot = self._device.get(adapter)
        counters = self._device_counters
        if slot is not None:
            self._device.move_to_end(adapter)
            self._device_counters = replace(counters, hits=counters.hits + 1)
            return slot
        weights = self._from_host(adapter)
        self.arena.check(weights)
        began = time.perf_counter()
        evicted = self._make_room(weights.labels)
        slot = self.arena.put(weights)
        self._device[adapter] = slot
        self._device_counters = replace(
            counters,
            misses=counters.misses + 1,
            evictions=counters.evictions + evicted,
            bytes_moved=counters.bytes_moved + weights.nbytes,
            seconds=counters.seconds + time.perf_counter() - began,
        )
        return slot

    def _from_host(self, adapter: str) -> AdapterWeights:
        weights = self._host.get(adapter)
        counters = self._host_counters
        if weights is not None:
            self._host.move_to_end(adapter)
            self._host_counters = replace(counters, hits=counters.hits + 1)
            return weights
        began = time.perf_counter()
        weights = self._source.read(adapter)
        evicted = self._keep_on_host(adapter, weights)
        self._host_counters = replace(
            counters,
            misses=counters.misses + 1,
            evictions=counters.evictions + evicted,
            bytes_moved=counters.bytes_moved + weights.nbytes,
            seconds=counters.seconds + time.perf_counter() - began,
        )
        return weights

    def _keep_on_host(self, adapter: str, weights: AdapterWeights) -> int:
        """Keep `weights` if that is possible; how many others went for it."""
        excess = self._host_bytes + weights.nbytes - self._host_budget
        victims: list[str] = []
        for idle in self._idle(self._host):
            if excess <= 0:
                break
            victims.append(idle)
            excess -= self._host[idle].nbytes
        if excess > 0:
            return 0
        for victim in victims:
            self._host_bytes -= self._host.pop(victim).nbytes
        self._host[adapter] = weights
        self._host_bytes += weights.nbytes
        return len(victims)

    def _make_room(self, labels: int) -> int:
        """Free a slot and `labels` head rows; how many adapters went, none if it cannot be."""
        idle = self._idle(self._device)
        victims: list[str] = []
        while not self.arena.fits(labels, [self._device[v] for v in victims]):
            victim = next(idle, None)
            if victim is None:
                raise Unavailable(
                    "Every slot of the device arena is in use or pinned.",
                    remedy="Unpin some vPLMs, or start the engine with a larger --device-cache.",
                    code="arena_full",
                )
            victims.append(victim)
        for victim in victims:
            self.arena.remove(self._device.pop(victim))
        return len(victims)

    def _idle(self, tier: Iterable[str]) -> Iterator[str]:
        """Who may be evicted, least recently used first."""
        return (a for a in tier if a not in self._held and a not in self._pinned)
