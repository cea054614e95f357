"""How many cores the math uses: serving has them all, unless a job is running beside it.

torch's thread count is partly global to the process, so serving and jobs always use the same
number; two full teams on the same cores would wait for each other at every barrier.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class ThreadShare:
    """`total` threads, halved for as long as anyone is inside `beside_serving`."""

    def __init__(self, total: int) -> None:
        self.total = max(1, total)
        self._jobs = 0
        self._lock = threading.Lock()

    @property
    def current(self) -> int:
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
