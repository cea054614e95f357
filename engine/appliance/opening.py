"""How far a start has come, and where its seconds went: what a slow one is asked first."""

from __future__ import annotations

import time
from collections.abc import Callable


class Opening:
    """The phases of one start, each of which ends when the next begins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: list[tuple[str, float]] = [("starting", clock())]

    def begin(self, phase: str) -> None:
        self._began.append((phase, self._clock()))

    def account(self) -> str:
        """Every phase but the first with its seconds until now, in order."""
        ends = [at for _, at in self._began[2:]] + [self._clock()]
        parts = zip(self._began[1:], ends, strict=True)
        return ", ".join(f"{phase} {end - at:.1f} s" for (phase, at), end in parts)
