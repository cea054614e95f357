"""Spans: what worked when and for how long, and the levels of what can be counted meanwhile."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

Stage = Literal["queue", "retrieve", "load", "compute"]
Lane = Literal[
    "queue", "retrieve", "load", "compute", "prefetch", "swap", "epoch", "job", "generate"
]
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
    tenants: int | None = None
    misses: int | None = None
    bytes: int | None = None
    largest: tuple[tuple[str, int], ...] = ()
    """Of a batch's compute: the tenants with most texts in it, and how many."""
    vplms: tuple[tuple[str, int], ...] = ()
    """Likewise the vPLMs."""

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

    def __init__(self, capacity: int = CAPACITY, first: int | None = None) -> None:
        """Spans are numbered from `first`, by default the clock's milliseconds: what an earlier
        engine numbered is below all of this one's."""
        self._spans: deque[Span] = deque(maxlen=capacity)
        self._first = int(time.time() * 1000) if first is None else first
        self._next = self._first
        self._levels: deque[Level] = deque(maxlen=capacity)
        self._lock = threading.Lock()

    def record(self, *spans: Span) -> None:
        with self._lock:
            self._spans.extend(spans)
            self._next += len(spans)

    def level(self, level: Level) -> None:
        with self._lock:
            self._levels.append(level)

    def recent(self, n: int) -> list[Span]:
        """The last `n`, oldest first."""
        with self._lock:
            spans = list(self._spans)
        return spans[-n:] if n > 0 else []

    def after(self, number: int | None, limit: int) -> tuple[list[Span], int, int]:
        """The newest spans after the one numbered `number`, at most `limit`, as they were recorded;
        the newest one's number; and how many after `number` are not among them.

        For None it is the newest there are, and nothing is missed.
        """
        with self._lock:
            last, held = self._next - 1, len(self._spans)
            seen = self._first - 1 if number is None else max(number, self._first - 1)
            fresh = max(0, last - seen)
            told = min(fresh, held, limit)
            spans = list(islice(reversed(self._spans), told))
        return spans[::-1], last, 0 if number is None else fresh - told

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
