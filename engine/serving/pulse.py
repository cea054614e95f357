"""What the stages are doing, as they say themselves: what a watchdog looks at."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Busy:
    """A thread that has been at one batch in stage `stage` for `seconds`."""

    stage: str
    thread: int
    seconds: float

    def stack(self) -> str:
        """Where it is now, innermost last; empty if the thread is gone."""
        frame = sys._current_frames().get(self.thread)  # noqa: SLF001  there is no other way
        return "" if frame is None else "".join(traceback.format_stack(frame))


class Pulse:
    """Told by each thread when it begins with a batch and when it has done with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: dict[int, tuple[str, float]] = {}
        self._moved = time.monotonic()

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """While this thread is at a batch."""
        me = threading.get_ident()
        with self._lock:
            self._since[me] = (stage, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                del self._since[me]
                self._moved = time.monotonic()

    def longest(self) -> Busy | None:
        """Who has been at one batch the longest."""
        now = time.monotonic()
        with self._lock:
            every = [Busy(stage, me, now - at) for me, (stage, at) in self._since.items()]
        return max(every, key=lambda each: each.seconds, default=None)

    def still(self) -> float:
        """Seconds since any thread has done with a batch."""
        with self._lock:
            return time.monotonic() - self._moved
