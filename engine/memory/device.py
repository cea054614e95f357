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
        self._wanted: dict[str, int] = {}
        """Who may go only for an earlier turn, with its own turn; the latest last, about."""
        self._unused: set[str] = set()

    @property
    def unused(self) -> int:
        """How many were copied ahead of need and not taken yet."""
        return len(self._unused)

    def take(self, adapter: str) -> int | None:
        """The slot for a batch, if it has one."""
        self.policy.touch(adapter)
        if adapter in self._unused:
            self._unused.remove(adapter)
            self.counters = self.counters.plus(prefetched_used=1)
        return self.slots.get(adapter)

    def reserve(self, labels: int, turn: int | None) -> tuple[int, list[str]]:
        """A slot with head rows for `labels`, evicting whom the policy gives up and then who is
        wanted later than `turn`; these are the list. For None nobody is evicted. Unavailable, and
        nobody went, if that is not enough."""
        arena = self.arena
        victims: list[tuple[str, int | None]] = []
        rows, slots = arena.rows_left, arena.slots_left
        while rows < labels or not slots:
            victim = None if turn is None else self._next(turn)
            if victim is None:
                for name, wanted in reversed(victims):
                    self._put_back(name, wanted)
                raise _full()
            victims.append(victim)
            rows += len(arena.head_rows(self.slots[victim[0]]))
            slots += 1
        for name, _ in victims:
            self._remove(name)
        self.counters = self.counters.plus(evictions=len(victims))
        return arena.reserve(labels), [name for name, wanted in victims if wanted is not None]

    def publish(self, adapter: str, slot: int, nbytes: int, seconds: float, *, ahead: bool) -> None:
        """The adapter is in the slot that was reserved for it."""
        self.slots[adapter] = slot
        self.counters = self.counters.plus(
            seconds, misses=1, bytes_moved=nbytes, prefetched=int(ahead)
        )
        if ahead:
            self._unused.add(adapter)

    def settle(self, adapter: str, *, free: bool, turn: int | None) -> None:
        """Let it be evicted, or no longer; `turn` if a request waits for it."""
        if adapter not in self.slots:
            return
        if free and turn is None:
            self.policy.add(adapter)
        else:
            self.policy.remove(adapter)
        if free and turn is not None:
            self._wanted.setdefault(adapter, turn)
        else:
            self._wanted.pop(adapter, None)

    def drop(self, adapter: str) -> None:
        """It is of no use any more."""
        self.policy.forget(adapter)
        self._wanted.pop(adapter, None)
        if adapter in self.slots:
            self._remove(adapter)

    def _next(self, turn: int) -> tuple[str, int | None] | None:
        """Who goes next for `turn`, no longer a candidate; with its own turn if it is wanted."""
        idle = self.policy.pop()
        if idle is not None:
            return idle, None
        last = next(reversed(self._wanted), None)
        if last is None or self._wanted[last] <= turn:
            return None
        return last, self._wanted.pop(last)

    def _put_back(self, adapter: str, turn: int | None) -> None:
        if turn is None:
            self.policy.add(adapter)
        else:
            self._wanted[adapter] = turn

    def _remove(self, adapter: str) -> None:
        self.arena.remove(self.slots.pop(adapter))
        self._unused.discard(adapter)


def _full() -> Unavailable:
    return Unavailable(
        "Every slot of the device arena is in use or pinned.",
        remedy="Unpin some vPLMs, or start the engine with a larger --device-cache.",
        code="arena_full",
    )
