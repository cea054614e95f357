"""Into a slot: reserved under the lock, filled outside it, and only then anybody's to use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch

from engine.errors import Unavailable
from engine.memory.arena import AdapterArena
from engine.memory.counters import Move
from engine.memory.device import DeviceTier
from engine.memory.loader import Loader
from engine.model.adapters import AdapterWeights


@dataclass(frozen=True, slots=True, eq=False)
class Landing:
    """Of one adapter, held all the while."""

    slot: Future[int] = field(default_factory=Future)


class Landings:
    """Those under way. Call `land` and `join` without `lock`, and everything else with it."""

    def __init__(
        self,
        arena: AdapterArena,
        device: DeviceTier,
        loader: Loader,
        lock: threading.Lock,
        settle: Callable[[str], None],
        moved: Callable[[Move], None],
    ) -> None:
        """`settle` (called with the lock) hears of what came into the device tier, `moved` (called
        without) of every copy."""
        self._arena = arena
        self._device = device
        self._loader = loader
        self._lock = lock
        self._settle = settle
        self._moved = moved
        self._under_way: dict[str, Landing] = {}

    def of(self, adapter: str) -> Landing | None:
        return self._under_way.get(adapter)

    def begin(self, adapter: str) -> None:
        """The caller will `land` it, and nobody else."""
        self._under_way[adapter] = Landing()

    def land(self, adapter: str) -> int:
        """Bring an adapter that was begun into a slot, reading it if need be; the slot."""
        landing = self._under_way[adapter]
        try:
            weights = self._loader.fetch(adapter)
            self._arena.check(weights)
            began = time.perf_counter()
            slot = self._make_room(weights.labels)
            self._fill(slot, adapter, weights)
        except BaseException as error:
            with self._lock:
                del self._under_way[adapter]
            landing.slot.set_exception(error)
            raise
        seconds = time.perf_counter() - began
        with self._lock:
            self._device.publish(adapter, slot, weights.nbytes, seconds)
            del self._under_way[adapter]
            self._settle(adapter)
        landing.slot.set_result(slot)
        self._moved(Move("device", adapter, began, seconds, weights.nbytes))
        return slot

    def join(self, adapter: str, landing: Landing) -> int:
        """The slot into which another thread brings it; raises what that thread met."""
        slot = landing.slot.result()
        with self._lock:
            self._device.take(adapter)
        return slot

    def _make_room(self, labels: int) -> int:
        with self._lock:
            slot, displaced = self._device.reserve(labels)
            for adapter in displaced:
                self._loader.line_up(adapter)
        return slot

    def _fill(self, slot: int, adapter: str, weights: AdapterWeights) -> None:
        try:
            self._arena.fill(slot, weights)
        except BaseException as error:
            with self._lock:
                self._arena.remove(slot)
            if isinstance(error, torch.OutOfMemoryError):
                raise Unavailable(
                    f"The device has no memory left to copy adapter {adapter} in.",
                    remedy="End other programs on the device, or start the engine with a smaller "
                    "--device-cache.",
                    code="device_memory",
                ) from error
            raise
