"""Spans as the trace events that ui.perfetto.dev and chrome://tracing read.

The format is Chrome's "Trace Event Format": complete events (X) on one track a lane, flow arrows
(s, t, f) from a batch's retrieve to its load and compute, counters (C), and names (M). Times are
microseconds from the trace's beginning.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from engine.schema import TraceEvent
from engine.telemetry.spans import LANES, Lane, Level, Span

PID = 1
TRACKS = 100
"""Track numbers of one lane: its spans that overlap lie on tracks of their own."""

_FLOW: tuple[Lane, ...] = ("retrieve", "load", "compute")
_SAID = ("batch", "texts", "tokens", "models", "tenants", "misses", "bytes")


def trace_events(
    spans: Sequence[Span], levels: Iterable[Level], origin: float, began: str = ""
) -> Iterator[TraceEvent]:
    """All events of `spans` (by start) and `levels`, counted from `origin` (perf_counter).

    `began` says in words when that was.
    """
    yield _named("process_name", 0, name="hmi engine")
    if began:
        yield _named("process_labels", 0, labels=began)
    placed = list(zip(spans, _tracks(spans), strict=True))
    for track in sorted({track for _, track in placed}):
        yield _named("thread_name", track, name=_track_name(track))
        yield _named("thread_sort_index", track, sort_index=track)
    flows = _flows(spans)
    for span, track in placed:
        ts = (span.start - origin) * 1e6
        yield TraceEvent(
            ph="X",
            name=span.name,
            cat=span.lane,
            pid=PID,
            tid=track,
            ts=round(ts, 3),
            dur=round(span.seconds * 1e6, 3),
            args={said: value for said in _SAID if (value := getattr(span, said)) is not None},
        )
        if (step := flows.get(id(span))) is not None:
            yield TraceEvent(
                ph=step,
                name="batch",
                cat="flow",
                pid=PID,
                tid=track,
                # An arrow belongs to the slice around its instant.
                ts=round(ts + span.seconds * 5e5, 3),
                id=span.batch,
                bp="e" if step == "f" else None,
            )
    for level in levels:
        ts = round((level.at - origin) * 1e6, 3)
        yield _counted("waiting texts", ts, level.waiting)
        if level.hit_rate is not None:
            yield _counted("table hit rate", ts, level.hit_rate)


def _named(what: str, track: int, **args: str | int) -> TraceEvent:
    return TraceEvent(ph="M", name=what, pid=PID, tid=track, ts=0.0, args=dict(args))


def _counted(name: str, ts: float, value: float) -> TraceEvent:
    return TraceEvent(ph="C", name=name, pid=PID, tid=0, ts=ts, args={"value": value})


def _track_name(track: int) -> str:
    lane, row = divmod(track, TRACKS)
    return LANES[lane - 1] if row == 0 else f"{LANES[lane - 1]} {row + 1}"


def _tracks(spans: Sequence[Span]) -> list[int]:
    """A track for each span: its lane's lowest one that is free when it starts."""
    free: dict[Lane, list[int]] = {}
    busy: dict[Lane, list[tuple[float, int]]] = {}
    tracks: list[int] = []
    for span in spans:
        rows, ends = free.setdefault(span.lane, []), busy.setdefault(span.lane, [])
        while ends and ends[0][0] <= span.start:
            heapq.heappush(rows, heapq.heappop(ends)[1])
        row = heapq.heappop(rows) if rows else min(len(ends), TRACKS - 1)
        heapq.heappush(ends, (span.end, row))
        tracks.append((LANES.index(span.lane) + 1) * TRACKS + row)
    return tracks


def _flows(spans: Sequence[Span]) -> dict[int, str]:
    """The step of its batch's arrow that each span is: first (s), between (t) or last (f)."""
    batches: dict[int, list[Span]] = {}
    for span in spans:
        if span.batch is not None and span.lane in _FLOW:
            batches.setdefault(span.batch, []).append(span)
    steps: dict[int, str] = {}
    for members in batches.values():
        if len(members) < 2:
            continue
        for span in members:
            steps[id(span)] = "t"
        steps[id(members[0])], steps[id(members[-1])] = "s", "f"
    return steps
