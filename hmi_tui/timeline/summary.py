"""A trace in a few numbers: how busy each lane was, what overlapped, where compute stood still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hmi_tui.figures import seconds, share
from hmi_tui.timeline.lanes import LANES, STAGES, Bar, Interval, crowded, length, union, without


@dataclass(frozen=True, slots=True)
class Summary:
    """Shares of `span_s`, the time from the first stage's start to the last one's end.

    `bubbles` are times in which no batch was computed though a text waited or another stage
    worked, between the first computed batch and the last.
    """

    span_s: float
    batches: int
    busy: dict[str, float]
    """By lane; several spans of a lane at one instant count once."""
    overlap: float
    """Share in which at least two of retrieve, load and compute worked."""
    bubbles: int
    bubble_s: float
    longest_bubble_s: float


def summarise(bars: Sequence[Bar]) -> Summary | None:
    """None if no batch has passed the stages."""
    lanes = {lane: union((b.start, b.end) for b in bars if b.lane == lane) for lane in LANES}
    stages = [lanes[stage] for stage in STAGES]
    worked = union(interval for stage in stages for interval in stage)
    if not worked:
        return None
    begin, end = worked[0][0], worked[-1][1]
    span = end - begin
    gaps = _bubbles(lanes)
    return Summary(
        span_s=span,
        batches=len({bar.batch for bar in bars if bar.batch is not None}),
        busy={
            lane: length(_inside(found, begin, end)) / span
            for lane, found in lanes.items()
            if found
        },
        overlap=length(crowded(stages, 2)) / span,
        bubbles=len(gaps),
        bubble_s=length(gaps),
        longest_bubble_s=max((end - start for start, end in gaps), default=0.0),
    )


def idle(found: Summary) -> float:
    """The share in which no batch was computed, whether there was anything to do or not."""
    return 1 - found.busy.get("compute", 0.0)


def lines(found: Summary) -> Iterator[tuple[str, str]]:
    """The summary in words, a name and a value each."""
    yield "traced", f"{seconds(found.span_s)}, {found.batches} batches"
    for lane, busy in found.busy.items():
        yield f"{lane} busy", share(busy, 1)
    yield "stages overlap", f"{share(found.overlap, 1)} of the time (at least two at work)"
    part = share(found.bubble_s / found.span_s, 1)
    longest = f"the longest {seconds(found.longest_bubble_s)}"
    yield "compute bubbles", f"{found.bubbles}, {part} of the time, {longest}"


def _bubbles(lanes: dict[str, list[Interval]]) -> list[Interval]:
    compute = lanes["compute"]
    if not compute:
        return []
    wanted = union(lanes["queue"] + lanes["retrieve"] + lanes["load"])
    return without(_inside(wanted, compute[0][0], compute[-1][1]), compute)


def _inside(intervals: Sequence[Interval], begin: float, end: float) -> list[Interval]:
    cut = ((max(start, begin), min(stop, end)) for start, stop in intervals)
    return [(start, stop) for start, stop in cut if stop > start]
