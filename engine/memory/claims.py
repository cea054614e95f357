"""Why an adapter must stay: batches hold it, requests want it, the operator pinned it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(slots=True)
class _Want:
    turn: int
    count: int


class Claims:
    """Not thread-safe."""

    def __init__(self, held: Counter[str], pinned: set[str]) -> None:
        """`held` counts batches; both belong to the caller, who changes them."""
        self._held = held
        self._pinned = pinned
        self._wants: dict[str, _Want] = {}
        self._turns = 0

    def want(self, adapter: str) -> None:
        """One more request waits for it. The first of them gives it its turn."""
        want = self._wants.get(adapter)
        if want is None:
            self._turns += 1
            self._wants[adapter] = _Want(self._turns, 1)
        else:
            want.count += 1

    def unwant(self, adapter: str) -> bool:
        """One request less; whether it was the last one."""
        want = self._wants.get(adapter)
        if want is None:
            return False
        want.count -= 1
        if want.count > 0:
            return False
        del self._wants[adapter]
        return True

    def turn(self, adapter: str) -> int | None:
        """Its place in the order of wanting; None if nobody wants it."""
        want = self._wants.get(adapter)
        return None if want is None else want.turn

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
