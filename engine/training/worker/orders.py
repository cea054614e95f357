"""What the engine wants, as the training process finds it between two steps."""

from __future__ import annotations

import threading
from collections import deque

from engine.training.worker.messages import Begin, Drop, Order, Pause


class Orders:
    """Given in one thread, obeyed in another."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Begin] = deque()
        self._still = self._released = False
        self._dropped: set[str] = set()

    def give(self, order: Order) -> None:
        with self._changed:
            if isinstance(order, Begin):
                # Here, not when the shift begins: what is said after this belongs to it.
                self._still = self._released = False
                self._dropped.clear()
                self._waiting.append(order)
            elif isinstance(order, Drop):
                self._dropped.add(order.job)
            elif isinstance(order, Pause):
                self._still = order.still
            else:
                self._released = True
            self._changed.notify_all()

    def next(self) -> Begin:
        """Wait for the next shift."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting))
            return self._waiting.popleft()

    def released(self) -> bool:
        """Whether the shift is to end; stands still as long as that is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: not self._still or self._released)
            return self._released

    def dropped(self, job: str) -> bool:
        with self._changed:
            return job in self._dropped
