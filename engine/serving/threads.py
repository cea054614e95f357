"""How many cores the math uses, and how they are divided.

Several workers of few threads beat one of many: a product of a small batch has little to divide,
and a team waits at every barrier for the one thread that the system has given to somebody else.
torch's thread count is partly global to the process, so all teams have the same size.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_MOST_WORKERS = 4
"""More would make batches small before they make them quick."""


class ThreadShare:
    """`total` threads as `workers` teams. A single team is halved while a job runs beside it;
    several leave the sharing to the system, for a job's thread has a low priority."""

    def __init__(self, total: int, workers: int = 1) -> None:
        self.total = max(1, total)
        self.workers = max(1, min(workers, self.total))
        self._jobs = 0
        self._lock = threading.Lock()

    @classmethod
    def divided(cls, given: int, cores: int, *, overlap: bool, device: torch.device) -> ThreadShare:
        """`given` threads (0: as many as `cores` allow) as the pipeline on `device` likes them:
        one team where stages do not overlap, or where the computing is done elsewhere."""
        several = overlap and device.type == "cpu"
        return cls(given or cores, _MOST_WORKERS if several else 1)

    @property
    def current(self) -> int:
        """Threads of a team."""
        if self.workers > 1:
            return self.total // self.workers
        return max(1, self.total // 2) if self._jobs else self.total

    def apply(self) -> None:
        """Use `current` threads in the calling thread from now on."""
        if torch.get_num_threads() != self.current:
            torch.set_num_threads(self.current)

    @contextmanager
    def beside_serving(self) -> Iterator[None]:
        """Around a job's computing."""
        with self._lock:
            self._jobs += 1
        try:
            self.apply()
            yield
        finally:
            with self._lock:
                self._jobs -= 1
