"""Why an adapter must stay: batches hold it, requests want it, the operator pinned it."""

from __future__ import annotations

from collections import Counter


class Claims:
    """Not thread-safe."""

    def __init__(self, held: Counter[str], pinned: set[str]) -> None:
        """`held` counts batches; both belong to the caller, who changes them."""
        self._held = held
        self._pinned = pinned
        self._wants: Counter[str] = Counter()

    def want(self, adapter: str) -> None:
        """One more request waits for it."""
        self._wants[adapter] += 1

    def unwant(self, adapter: str) -> bool:
        """One request less; whether it was the last one."""
        if not self.wanted(adapter):
            return False
        self._wants[adapter] -= 1
        if self._wants[adapter] > 0:
            return False
        del self._wants[adapter]
        return True

    @property
    def waited_for(self) -> int:
        """How many adapters some request wants."""
        return len(self._wants)

    def wanted(self, adapter: str) -> bool:
        return adapter in self._wants

    def pinned(self, adapter: str) -> bool:
        return adapter in self._pinned

    def fixed(self, adapter: str) -> bool:
        """Whether it must not move at all."""
        return adapter in self._held or adapter in self._pinned

    def needed(self, adapter: str) -> bool:
        """Whether a batch or a request has use for it now."""
        return adapter in self._held or adapter in self._wants
