"""The host tier: whole adapters in memory, as read from disk, within a budget of bytes."""

from __future__ import annotations

from engine.memory.counters import TierCounters
from engine.memory.policy import EvictionPolicy
from engine.model.adapters import AdapterWeights


class HostTier:
    """Not thread-safe, but `get` may be called at any time."""

    def __init__(self, budget: int, policy: EvictionPolicy) -> None:
        self.budget = budget
        self.policy = policy
        self.bytes = 0
        self.counters = TierCounters()
        self._weights: dict[str, AdapterWeights] = {}
        self._sizes: dict[str, int] = {}
        self._expected = 0
        """Bytes set aside for reads under way."""
        self._spare = 0
        """Bytes of the policy's candidates."""
        self._pinned: set[str] = set()
        self._pinned_bytes = 0
        self._unused: set[str] = set()
        """What was read ahead of need and not taken yet."""

    def __len__(self) -> int:
        return len(self._weights)

    def __contains__(self, adapter: str) -> bool:
        return adapter in self._weights

    def get(self, adapter: str) -> AdapterWeights | None:
        return self._weights.get(adapter)

    def take(self, adapter: str) -> AdapterWeights | None:
        """`get` for a batch: counted, if it is there."""
        self.policy.touch(adapter)
        weights = self._weights.get(adapter)
        if weights is not None and not self.used(adapter):
            self.counters = self.counters.plus(hits=1)
        return weights

    def used(self, adapter: str) -> bool:
        """Whether this is the first use of what was read ahead."""
        if adapter not in self._unused:
            return False
        self._unused.remove(adapter)
        self.counters = self.counters.plus(prefetched_used=1)
        return True

    def hopeless(self, size: int) -> bool:
        """Whether `size` bytes will not fit however many requests and batches end."""
        return size > self.budget - self._pinned_bytes

    def expect(self, size: int) -> bool:
        """Set `size` bytes aside, evicting candidates; False if they cannot be had now."""
        if not self._make_room(size):
            return False
        self._expected += size
        return True

    def expect_no_more(self, size: int) -> None:
        """What was set aside is there, or will not come."""
        self._expected -= size

    def keep(
        self, adapter: str, weights: AdapterWeights, *, evict: bool, ahead: bool = False
    ) -> bool:
        """Keep what was read, if there is room or (with `evict`) can be made."""
        if adapter in self._weights:
            return True
        size = weights.nbytes
        fits = self.bytes + self._expected + size <= self.budget
        if not fits and not (evict and self._make_room(size)):
            return False
        self._weights[adapter] = weights
        self._sizes[adapter] = size
        self.bytes += size
        if ahead:
            self._unused.add(adapter)
        return True

    def settle(self, adapter: str, *, free: bool, pinned: bool) -> None:
        """Let it be evicted, or no longer."""
        size = self._sizes.get(adapter)
        if size is None:
            return
        if pinned and adapter not in self._pinned:
            self._pinned.add(adapter)
            self._pinned_bytes += size
        elif not pinned and adapter in self._pinned:
            self._pinned.remove(adapter)
            self._pinned_bytes -= size
        if free and adapter not in self.policy:
            self.policy.add(adapter)
            self._spare += size
        elif not free and adapter in self.policy:
            self.policy.remove(adapter)
            self._spare -= size

    def drop(self, adapter: str) -> None:
        """It is of no use any more."""
        self.settle(adapter, free=False, pinned=False)
        self.policy.forget(adapter)
        if adapter in self._weights:
            self._remove(adapter)

    def _make_room(self, size: int) -> bool:
        short = self.bytes + self._expected + size - self.budget
        if short > self._spare:
            return False
        if short <= 0:
            return True
        evicted = 0
        while short > 0 and (victim := self.policy.pop()) is not None:
            gone = self._remove(victim)
            self._spare -= gone
            short -= gone
            evicted += 1
        self.counters = self.counters.plus(evictions=evicted)
        return True

    def _remove(self, adapter: str) -> int:
        del self._weights[adapter]
        size = self._sizes.pop(adapter)
        self.bytes -= size
        self._unused.discard(adapter)
        return size
