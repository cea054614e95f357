"""What each lane of a trace did when."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.schema import TraceEvent

LANES = ("queue", "retrieve", "load", "compute", "prefetch", "swap", "epoch", "job")
GENERATE = "generate"
"""Rounds of the decoder's batch: a lane of its own where there are any."""
STAGES = ("retrieve", "load", "compute")
"""The pipeline's own lanes, in order."""
ROWS = 4
"""Of one lane; more are too thin to tell apart."""

Interval = tuple[float, float]
"""From and to, in seconds."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One piece of work; seconds from the trace's beginning."""

    lane: str
    name: str
    start: float
    end: float
    batch: int | None


def bars(events: Iterable[TraceEvent]) -> list[Bar]:
    """The complete events of a trace, by start."""
    found: list[Bar] = []
    for event in events:
        if event.ph == "X" and event.cat in (*LANES, GENERATE):
            batch = event.args.get("batch")
            start, end = event.ts / 1e6, (event.ts + (event.dur or 0.0)) / 1e6
            number = batch if isinstance(batch, int) else None
            found.append(Bar(event.cat, event.name, start, end, number))
    return sorted(found, key=lambda bar: bar.start)


def shown(worked: Container[str]) -> tuple[str, ...]:
    """The lanes to draw, of which those in `worked` have bars."""
    return (*LANES[:4], GENERATE, *LANES[4:]) if GENERATE in worked else LANES


def stack(
    bars: Iterable[Bar], rows: Sequence[Sequence[Bar]] = (), most: int = ROWS
) -> list[list[Bar]]:
    """`rows`, and `bars` (by start) laid into them: those that overlap in rows of their own, down
    to a last one that takes the rest."""
    laid = [list(row) for row in rows]
    for bar in bars:
        free = next((row for row in laid if not row or row[-1].end <= bar.start), None)
        if free is not None:
            free.append(bar)
        elif len(laid) < most:
            laid.append([bar])
        else:
            laid[-1].append(bar)
    return laid


def within(bars: Iterable[Bar], begin: float, end: float) -> list[Bar]:
    """What of `bars` lies between two instants, cut there."""
    found: list[Bar] = []
    for bar in bars:
        if bar.end > begin and bar.start < end:
            inside = bar.start >= begin and bar.end <= end
            cut = max(bar.start, begin), min(bar.end, end)
            found.append(bar if inside else replace(bar, start=cut[0], end=cut[1]))
    return found


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as intervals that do not overlap, by start."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        elif end > start:
            joined.append((start, end))
    return joined


def length(intervals: Iterable[Interval]) -> float:
    """Seconds of intervals that do not overlap."""
    return sum(end - start for start, end in intervals)


def without(intervals: Sequence[Interval], holes: Sequence[Interval]) -> list[Interval]:
    """What of `intervals` lies outside `holes`; both by start and without overlap."""
    left: list[Interval] = []
    first = 0
    for start, end in intervals:
        while first < len(holes) and holes[first][1] <= start:
            first += 1
        at = start
        for hole_start, hole_end in islice(holes, first, None):
            if hole_start >= end:
                break
            if hole_start > at:
                left.append((at, hole_start))
            at = max(at, hole_end)
        if at < end:
            left.append((at, end))
    return left


def crowded(lanes: Sequence[Sequence[Interval]], least: int) -> list[Interval]:
    """When at least `least` of the lanes work; each lane without overlap in itself."""
    edges = sorted(
        edge for lane in lanes for start, end in lane for edge in ((start, 1), (end, -1))
    )
    found: list[Interval] = []
    working, since = 0, 0.0
    for at, step in edges:
        before, working = working, working + step
        if before < least <= working:
            since = at
        elif working < least <= before and at > since:
            found.append((since, at))
    return union(found)
