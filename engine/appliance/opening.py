"""Where the seconds of a start went: what a slow one is asked first."""

from __future__ import annotations

import time
from collections.abc import Callable


class Opening:
    """The phases of one start, each of which ends when the next begins."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: list[tuple[str, float]] = []

    def begin(self, phase: str) -> None:
        self._began.append((phase, self._clock()))

    def account(self) -> str:
        """Every phase with its seconds, in order; the last has lasted until now."""
        ends = [at for _, at in self._began[1:]] + [self._clock()]
        parts = zip(self._began, ends, strict=True)
        return ", ".join(f"{phase} {end - at:.1f} s" for (phase, at), end in parts)
