"""Spans: which stage worked on which batch, when and for how long."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Literal, get_args

Stage = Literal["queue", "retrieve", "load", "compute"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class Span:
    """One stage of one batch. `start` is perf_counter's seconds."""

    batch: int
    stage: Stage
    start: float
    seconds: float
    texts: int
    tokens: int


class SpanRing:
    """The last `capacity` spans, written by any thread."""

    def __init__(self, capacity: int = 4096) -> None:
        self._spans: deque[Span] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def record(self, span: Span) -> None:
        with self._lock:
            self._spans.append(span)

    def recent(self, n: int) -> list[Span]:
        """The last `n`, oldest first."""
        with self._lock:
            spans = list(self._spans)
        return spans[-n:] if n > 0 else []

    def shares(self) -> dict[Stage, float]:
        """Seconds that each stage took, summed over the ring."""
        with self._lock:
            spans = list(self._spans)
        seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        for span in spans:
            seconds[span.stage] += span.seconds
        return seconds
