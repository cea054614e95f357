"""Events of type "swap": how many adapters moved between the tiers, and how much that was."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from engine.memory.tiers import TierCounters, TierName, TierUse
from engine.telemetry.events import EventLog

_EVERY_S = 0.25


class Used(Protocol):
    """Adapter tiers, of one backbone or of all."""

    def use(self) -> dict[TierName, TierUse]: ...


class SwapNews:
    """Counts since the last event, at most four of them a second. Thread-safe."""

    def __init__(self, tiers: Used, events: EventLog) -> None:
        self._tiers = tiers
        self._events = events
        self._lock = threading.Lock()
        self._last: dict[TierName, TierCounters] = {
            "host": TierCounters(),
            "device": TierCounters(),
        }
        self._told = float("-inf")

    def tell(self) -> None:
        """Emit what has moved, unless it is too early, in which case the next event has it."""
        with self._lock:
            now = time.monotonic()
            if now - self._told < _EVERY_S:
                return
            use = self._tiers.use()
            moved = {name: _moved(self._last[name], use[name].counters) for name in self._last}
            if not any(sum(counts.values()) for counts in moved.values()):
                return
            self._last = {name: use[name].counters for name in self._last}
            self._told = now
        self._events.emit("swap", dict(moved.items()))


def _moved(before: TierCounters, now: TierCounters) -> dict[str, int]:
    return {
        "loaded": now.misses - before.misses,
        "evicted": now.evictions - before.evictions,
        "bytes": now.bytes_moved - before.bytes_moved,
    }
