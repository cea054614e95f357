"""When the next batch is formed: just before somebody is free to compute it.

Formed earlier it would be smaller than it need be, for whatever arrives meanwhile waits for the one
after it; formed later, the computing stage would stand idle while rows and adapters are fetched.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MEMORY = 0.9
"""Weight of the past in running means."""
_MARGIN = 1.25
"""How much longer than usual the stages before computing may take without a gap."""
_LEAST_SHARE = 256
"""Tokens of a batch that are not divided further between workers."""


class Cadence:
    """Follows `workers` that compute, and how long things take. Thread-safe; seconds."""

    def __init__(self, workers: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self.workers = workers
        self._clock = clock
        self._ahead = 0
        self._ends: dict[int, float] = {}
        self._per_token = 0.0
        self._before = 0.0
        self._changed = threading.Condition()

    def wait(self) -> None:
        """Return when the next batch is wanted."""
        with self._changed:
            while (pause := self._pause()) != 0:
                self._changed.wait(pause)
            self._ahead += 1

    def share(self, waiting: int, most: int) -> int:
        """Tokens of the next batch, at most `most`, when `waiting` are there: what is left to
        every idle worker, so that none stands by while another has all the work."""
        with self._changed:
            idle = self.workers - len(self._ends)
        return most if idle <= 1 else min(most, max(_LEAST_SHARE, -(-waiting // idle)))

    def add(self) -> None:
        """One more batch is on its way, whether it was wanted or not."""
        with self._changed:
            self._ahead += 1

    def drop(self) -> None:
        """The batch that was wanted came to nothing."""
        with self._changed:
            self._ahead -= 1
            self._changed.notify_all()

    def begin(self, number: int, tokens: int, before: float) -> None:
        """A worker takes up batch `number`; the earlier stages took `before` seconds for it."""
        with self._changed:
            self._ahead -= 1
            self._before = _mean(self._before, before)
            self._ends[number] = self._clock() + self._per_token * tokens
            self._changed.notify_all()

    def end(self, number: int, tokens: int, seconds: float) -> None:
        """It is computed."""
        with self._changed:
            del self._ends[number]
            self._per_token = _mean(self._per_token, seconds / max(tokens, 1))
            self._changed.notify_all()

    def _pause(self) -> float | None:
        """How long to wait before looking again: 0 not at all, None until something changes."""
        if self._ahead > 0:
            return None
        if len(self._ends) < self.workers:
            return 0
        first = min(self._ends.values()) - _MARGIN * self._before
        return max(0.0, first - self._clock())


def _mean(before: float, new: float) -> float:
    return new if before == 0 else _MEMORY * before + (1 - _MEMORY) * new
