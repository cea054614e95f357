"""Spans: what worked when and for how long, and the levels of what can be counted meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Stage = Literal["queue", "retrieve", "load", "compute"]
Lane = Literal["queue", "retrieve", "load", "compute", "prefetch", "swap", "epoch", "job"]
STAGES: tuple[Stage, ...] = get_args(Stage)
LANES: tuple[Lane, ...] = get_args(Lane)

CAPACITY = 16_384
"""Spans kept: four a batch, so those of the last 4,000 batches."""


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work in its lane. `start` is perf_counter's seconds.

    What is None does not apply: `batch` outside the pipeline, `misses` (tokens without a table
    row, or adapters that had to be loaded) and `bytes` (moved) where nothing is missed or moved.
    """

    lane: Lane
    name: str
    start: float
    seconds: float
    batch: int | None = None
    texts: int | None = None
    tokens: int | None = None
    models: int | None = None
    misses: int | None = None
    bytes: int | None = None

    @property
    def end(self) -> float:
        return self.start + self.seconds


@dataclass(frozen=True, slots=True)
class Level:
    """What was counted at one instant (perf_counter): texts that wait, and the share of a batch's
    tokens whose row was in a table (None in exact mode)."""

    at: float
    waiting: int
    hit_rate: float | None


class SpanRing:
    """The last `capacity` spans, and as many levels, written by any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._spans: deque[Span] = deque(maxlen=capacity)
        self._levels: deque[Level] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def record(self, *spans: Span) -> None:
        with self._lock:
            self._spans.extend(spans)

    def level(self, level: Level) -> None:
        with self._lock:
            self._levels.append(level)

    def recent(self, n: int) -> list[Span]:
        """The last `n`, oldest first."""
        with self._lock:
            spans = list(self._spans)
        return spans[-n:] if n > 0 else []

    def since(self, instant: float) -> tuple[list[Span], list[Level]]:
        """Spans that ended after `instant` (perf_counter) and levels from it on, each by time."""
        with self._lock:
            spans, levels = list(self._spans), list(self._levels)
        late = [span for span in spans if span.end > instant]
        late.sort(key=lambda span: span.start)
        return late, [level for level in levels if level.at >= instant]

    def shares(self) -> dict[Stage, float]:
        """Seconds that each stage took, summed over the ring."""
        with self._lock:
            spans = list(self._spans)
        seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        for span in spans:
            if span.lane in STAGES:
                seconds[span.lane] += span.seconds
        return seconds


def stage_starts(
    oldest: float, seconds: Mapping[Stage, float], began: Mapping[str, float]
) -> dict[Stage, float]:
    """When each stage of a batch began (perf_counter), the queue with its `oldest` text.

    As `began` says; where it says nothing, a stage follows the one before it at once.
    """
    starts: dict[Stage, float] = {}
    at = oldest
    for stage in STAGES:
        starts[stage] = at = oldest if stage == "queue" else began.get(stage, at)
        at += seconds.get(stage, 0.0)
    return starts


def wall_clock() -> float:
    """What to add to perf_counter's seconds to get Unix time."""
    return time.time() - time.perf_counter()
