"""The device tier: which adapter is in which slot of the arena, and who makes room for whom."""

from __future__ import annotations

from engine.errors import Unavailable
from engine.memory.arena import AdapterArena
from engine.memory.counters import TierCounters
from engine.memory.policy import EvictionPolicy


class DeviceTier:
    """Not thread-safe, but `slots` may be read at any time."""

    def __init__(self, arena: AdapterArena, policy: EvictionPolicy) -> None:
        self.arena = arena
        self.policy = policy
        self.counters = TierCounters()
        self.slots: dict[str, int] = {}
        self._wanted: dict[str, None] = {}
        """Who goes only when nobody else may, for requests wait for it; the latest last, about."""

    def take(self, adapter: str) -> int | None:
        """The slot for a batch, if it has one."""
        self.policy.touch(adapter)
        return self.slots.get(adapter)

    def reserve(self, labels: int) -> tuple[int, list[str]]:
        """A slot with head rows for `labels`, evicting whom the policy gives up and then who is
        wanted; these are the list. Unavailable, and nobody went, if that is not enough."""
        arena = self.arena
        victims: list[tuple[str, bool]] = []
        rows, slots = arena.rows_left, arena.slots_left
        while rows < labels or not slots:
            victim = self._next()
            if victim is None:
                for name, wanted in reversed(victims):
                    self._put_back(name, wanted=wanted)
                raise _full()
            victims.append(victim)
            rows += len(arena.head_rows(self.slots[victim[0]]))
            slots += 1
        for name, _ in victims:
            self._remove(name)
        self.counters = self.counters.plus(evictions=len(victims))
        return arena.reserve(labels), [name for name, wanted in victims if wanted]

    def publish(self, adapter: str, slot: int, nbytes: int, seconds: float) -> None:
        """The adapter is in the slot that was reserved for it."""
        self.slots[adapter] = slot
        self.counters = self.counters.plus(seconds, misses=1, bytes_moved=nbytes)

    def settle(self, adapter: str, *, free: bool, wanted: bool) -> None:
        """Let it be evicted, or no longer; `wanted` if a request waits for it."""
        if adapter not in self.slots:
            return
        if free and not wanted:
            self.policy.add(adapter)
        else:
            self.policy.remove(adapter)
        if free and wanted:
            self._wanted.setdefault(adapter)
        else:
            self._wanted.pop(adapter, None)

    def drop(self, adapter: str) -> None:
        """It is of no use any more."""
        self.policy.forget(adapter)
        self._wanted.pop(adapter, None)
        if adapter in self.slots:
            self._remove(adapter)

    def _next(self) -> tuple[str, bool] | None:
        """Who goes next, no longer a candidate; and whether it is wanted."""
        idle = self.policy.pop()
        if idle is not None:
            return idle, False
        last = next(reversed(self._wanted), None)
        if last is None:
            return None
        del self._wanted[last]
        return last, True

    def _put_back(self, adapter: str, *, wanted: bool) -> None:
        if wanted:
            self._wanted[adapter] = None
        else:
            self.policy.add(adapter)

    def _remove(self, adapter: str) -> None:
        self.arena.remove(self.slots.pop(adapter))


def _full() -> Unavailable:
    return Unavailable(
        "Every slot of the device arena is in use or pinned.",
        remedy="Unpin some vPLMs, or start the engine with a larger --device-cache.",
        code="arena_full",
    )
