"""How long a batch will take, learned from how long batches have taken.

Recursive least squares with exponential forgetting, in information form: two sums over past
batches are decayed and added to, and the coefficients solved for again. Residuals are relative to
the prediction, so small batches count as much as large ones, and bounded (Huber's weights), so a
stall teaches little while a lasting change of speed is followed.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Self

import numpy as np
from numpy.typing import NDArray

FORGETTING = 0.98
"""What a batch still counts after the next one."""
READY = 8
"""Batches before the first prediction."""
_RECENT, _REPORTED = 32, 512
"""Errors that set the bound for outliers, and that are reported."""
_LEAST_SPREAD = 0.05
_INERTIA = 1e-3
"""How strongly a coefficient stays where it is, as a share of what the past batches say."""


@dataclass(frozen=True, slots=True)
class BatchShape:
    """What of a batch is known before it runs and its time depends on."""

    texts: float
    plot_tokens: float
    exact_tokens: float
    adapters: float
    cold: float
    """Adapters without a slot."""

    @property
    def tokens(self) -> float:
        return self.plot_tokens + self.exact_tokens

    def times(self, factor: float) -> Self:
        return type(self)(
            self.texts * factor,
            self.plot_tokens * factor,
            self.exact_tokens * factor,
            self.adapters * factor,
            self.cold * factor,
        )

    def toward(self, other: BatchShape, share: float) -> BatchShape:
        """`share` of the way to `other`."""
        rest = self.times(1 - share)
        step = other.times(share)
        return BatchShape(
            rest.texts + step.texts,
            rest.plot_tokens + step.plot_tokens,
            rest.exact_tokens + step.exact_tokens,
            rest.adapters + step.adapters,
            rest.cold + step.cold,
        )


TERMS = ("batch", "text", "plot_token", "exact_token", "adapter", "cold_adapter")


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """`coefficients` are seconds for one of each of TERMS; `error` is the median of
    |predicted - actual| / actual over predictions made before the batch ran."""

    batches: int
    error: float | None
    coefficients: tuple[tuple[str, float], ...]


class LatencyModel:
    """Thread-safe. `predict` is 0 until READY batches have been seen."""

    def __init__(self, forgetting: float = FORGETTING) -> None:
        size = len(TERMS)
        self._forgetting = forgetting
        self._moments: NDArray[np.float64] = np.zeros((size, size))
        self._targets: NDArray[np.float64] = np.zeros(size)
        self._coefficients = (0.0,) * size
        self._seen = 0
        self._errors: deque[float] = deque(maxlen=_REPORTED)
        self.spread = 1.0
        """The median error of the last few predictions, at least _LEAST_SPREAD."""
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        return self._seen >= READY

    @property
    def fixed(self) -> float:
        """Seconds that a batch takes whatever is in it."""
        return self._coefficients[0]

    def predict(self, shape: BatchShape) -> float:
        """Seconds."""
        return self._estimate(shape) if self.ready else 0.0

    def observe(self, shape: BatchShape, seconds: float) -> None:
        """A batch of `shape` has taken `seconds`."""
        seconds = max(seconds, 1e-6)
        with self._lock:
            guess = self._estimate(shape)
            error = abs(guess - seconds) / seconds
            unit = max(guess, 1e-6) if self.ready else seconds
            residual = abs(guess - seconds) / unit
            weight = 1.0
            if self.ready:
                weight = min(1.0, 3 * self.spread / max(residual, 1e-9))
                self._errors.append(error)
                self.spread = max(_LEAST_SPREAD, median(list(self._errors)[-_RECENT:]))
            row = np.array(_terms(shape)) / unit
            self._moments = self._forgetting * self._moments + weight * np.outer(row, row)
            self._targets = self._forgetting * self._targets + weight * row * (seconds / unit)
            self._coefficients = self._solve()
            self._seen += 1

    def report(self) -> LatencyReport:
        with self._lock:
            error = median(self._errors) if self._errors else None
            named = tuple(zip(TERMS, self._coefficients, strict=True))
            return LatencyReport(self._seen, error, named)

    def _estimate(self, shape: BatchShape) -> float:
        a, b, c, d, e, f = self._coefficients
        return (
            a
            + b * shape.texts
            + c * shape.plot_tokens
            + d * shape.exact_tokens
            + e * shape.adapters
            + f * shape.cold
        )

    def _solve(self) -> tuple[float, ...]:
        """The coefficients that fit best and are not negative: the most negative one is set to
        nothing until none is."""
        before = np.array(self._coefficients)
        inertia = _INERTIA * np.diag(self._moments)
        moments = self._moments + np.diag(inertia)
        targets = self._targets + inertia * before
        # What has not been seen lately keeps the value it had.
        free = np.flatnonzero(np.diag(self._moments) > 1e-12)
        kept = np.setdiff1d(np.arange(len(before)), free)
        targets = targets - moments[:, kept] @ before[kept]
        found = before.copy()
        found[free] = 0.0
        while free.size:
            solved = np.linalg.solve(moments[np.ix_(free, free)], targets[free])
            if solved.min() >= 0:
                found[free] = solved
                break
            free = np.delete(free, solved.argmin())
        return tuple(found.tolist())


def _terms(shape: BatchShape) -> tuple[float, ...]:
    return (
        1.0,
        shape.texts,
        shape.plot_tokens,
        shape.exact_tokens,
        shape.adapters,
        shape.cold,
    )
