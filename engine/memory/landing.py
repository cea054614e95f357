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

AT_ONCE = 0
"""The turn of what a batch needs now: before all that requests wait for."""


@dataclass(frozen=True, slots=True, eq=False)
class Landing:
    """Of one adapter, held all the while. One `ahead` of need may fail for want of room that a
    batch would be given."""

    ahead: bool
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
        self.promoting = threading.Lock()
        """Whoever copies ahead of need has it while an adapter is held for that."""

    def of(self, adapter: str) -> Landing | None:
        return self._under_way.get(adapter)

    def begin(self, adapter: str, *, ahead: bool) -> None:
        """The caller will `land` it, and nobody else."""
        self._under_way[adapter] = Landing(ahead)

    def land(self, adapter: str, turn: int | None) -> int:
        """Bring an adapter that was begun into a slot, reading it if need be; the slot.

        What is wanted later than `turn` may go for it; if that is None, nobody.
        """
        landing = self._under_way[adapter]
        try:
            weights = self._loader.fetch(adapter)
            self._arena.check(weights)
            began = time.perf_counter()
            slot = self._reserve(weights.labels, turn, landing)
            self._fill(slot, adapter, weights)
        except BaseException as error:
            with self._lock:
                del self._under_way[adapter]
            landing.slot.set_exception(error)
            raise
        seconds = time.perf_counter() - began
        with self._lock:
            self._device.publish(adapter, slot, weights.nbytes, seconds, ahead=landing.ahead)
            del self._under_way[adapter]
            self._settle(adapter)
        landing.slot.set_result(slot)
        self._moved(Move("device", adapter, began, seconds, weights.nbytes))
        return slot

    def join(self, adapter: str, landing: Landing) -> tuple[int, bool]:
        """The slot into which another thread brings it, and whether this call had to instead."""
        try:
            slot = landing.slot.result()
        except Exception:
            if not landing.ahead:
                raise
        else:
            with self._lock:
                self._device.take(adapter)
            return slot, False
        # It had no room ahead of need; for a batch there may be.
        with self._lock:
            found = self._device.take(adapter)
            other = self.of(adapter)
            if found is None and other is None:
                self.begin(adapter, ahead=False)
        if found is not None:
            return found, False
        if other is not None:
            return self.join(adapter, other)
        return self.land(adapter, AT_ONCE), True

    def _reserve(self, labels: int, turn: int | None, landing: Landing) -> int:
        try:
            return self._make_room(labels, turn)
        except Unavailable:
            if landing.ahead:
                raise
        # What is copied ahead of need is held while it is; a batch must not fail for that.
        with self.promoting:
            return self._make_room(labels, turn)

    def _make_room(self, labels: int, turn: int | None) -> int:
        with self._lock:
            slot, displaced = self._device.reserve(labels, turn)
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
