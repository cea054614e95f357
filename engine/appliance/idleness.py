"""Whether the engine has time for jobs that wait until nobody asks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from engine.serving.generation.generator import GeneratorUse
from engine.telemetry.metrics import Metrics

IDLE_RATE = 1.0
"""Requests a second under which the engine counts as idle."""


class Idleness:
    """`idle` begins such a job, `busy` ends it: one is slow to believe, the other is quick."""

    def __init__(
        self,
        metrics: Metrics,
        totals: Mapping[str, int],
        waiting: Callable[[], int],
        generators: Callable[[], GeneratorUse | None],
    ) -> None:
        """`totals` counts the batches so far, `waiting` the texts that wait for one."""
        self._metrics, self._totals = metrics, totals
        self._waiting, self._generators = waiting, generators
        self._lately: deque[tuple[float, int]] = deque()

    def idle(self) -> bool:
        """Whether there is hardly any traffic right now."""
        quiet = self._waiting() == 0 and not self._generating()
        return quiet and self._metrics.rates().requests_per_s < IDLE_RATE

    def busy(self) -> bool:
        """Whether load has come, within a second."""
        now, batches = time.monotonic(), self._totals["batches"]
        self._lately.append((now, batches))
        while now - self._lately[0][0] > 1.0:
            self._lately.popleft()
        if self._waiting() > 0 or self._generating():
            return True
        return batches - self._lately[0][1] > IDLE_RATE

    def _generating(self) -> bool:
        """Whether a text is being generated, which one request may take minutes for."""
        use = self._generators()
        return use is not None and use.living + use.waiting > 0
