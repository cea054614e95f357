"""How one stage hands batches to the next: a short line, which ends when the former does."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """Holds at most `room` things; whoever hands over waits for room. Thread-safe."""

    def __init__(self, room: int = 1) -> None:
        self._room = room
        self._things: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, thing: T) -> None:
        """Hand over, waiting for room. Not after `close`."""
        with self._changed:
            while len(self._things) >= self._room:
                self._changed.wait()
            self._things.append(thing)
            self._changed.notify_all()

    def take(self) -> T | None:
        """The next thing, waiting for it; None once the line is closed and empty."""
        with self._changed:
            while not self._things and not self._closed:
                self._changed.wait()
            if not self._things:
                return None
            thing = self._things.popleft()
            self._changed.notify_all()
            return thing

    def close(self) -> None:
        """Nothing more comes; what is here is still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
