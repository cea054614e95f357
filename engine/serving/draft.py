"""A batch while it is being filled, and the limits at which it closes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from engine.memory.counters import Standing
from engine.serving.latency import BatchShape, LatencyModel
from engine.serving.work import Work


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch closes at `tokens`, at `models` distinct vPLMs, or when the rectangle that
    attention pads to would exceed `padded` tokens. One text always fits."""

    tokens: int
    models: int

    @property
    def padded(self) -> int:
        return 4 * self.tokens


@dataclass(frozen=True, slots=True)
class Pace:
    """What closes a batch by the time that it will take: it begins at `start`, is to take no
    longer than `longest` seconds, and each work is due `slo` seconds after its acceptance."""

    latency: LatencyModel
    start: float
    longest: float
    slo: float = math.inf


@dataclass(slots=True, eq=False)
class Draft:
    """Works for one batch; `fits` says whether one more may join, `add` lets it join."""

    limits: BatchLimits
    pace: Pace | None = None
    works: list[Work] = field(default_factory=list)
    tokens: int = 0
    _exact: int = 0
    _longest: int = 0
    _cold: int = 0
    _adapters: set[str] = field(default_factory=set)
    _due: float = math.inf
    """The first of the deadlines that could be kept when their works joined."""

    @property
    def shape(self) -> BatchShape:
        plot = self.tokens - self._exact
        return BatchShape(len(self.works), plot, self._exact, len(self._adapters), self._cold)

    def fits(self, work: Work, standing: Standing) -> bool:
        if not self.works:
            return True
        size, limits = len(work.ids), self.limits
        padded = max(self._longest, size) * (len(self.works) + 1)
        if self.tokens + size > limits.tokens or padded > limits.padded:
            return False
        if work.model.adapter not in self._adapters and len(self._adapters) >= limits.models:
            return False
        if self.pace is None:
            return True
        seconds = self.pace.latency.predict(self._with(work, standing))
        # A deadline that is lost anyway closes nothing: small batches would lose the others too.
        return seconds <= self.pace.longest and self.pace.start + seconds <= self._due

    def add(self, work: Work, standing: Standing) -> None:
        size, adapter = len(work.ids), work.model.adapter
        self.works.append(work)
        self.tokens += size
        self._longest = max(self._longest, size)
        if work.mode == "exact":
            self._exact += size
        if adapter not in self._adapters:
            self._adapters.add(adapter)
            self._cold += standing != "device"
        if self.pace is not None:
            due = work.accepted + self.pace.slo
            if due < self._due and self.pace.start + self.pace.latency.predict(self.shape) <= due:
                self._due = due

    def _with(self, work: Work, standing: Standing) -> BatchShape:
        size, new = len(work.ids), work.model.adapter not in self._adapters
        exact = self._exact + (size if work.mode == "exact" else 0)
        return BatchShape(
            len(self.works) + 1,
            self.tokens + size - exact,
            exact,
            len(self._adapters) + new,
            self._cold + (new and standing != "device"),
        )
