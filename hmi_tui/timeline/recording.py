"""The spans of the last minutes, as they came: an immutable value that grows by feeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.schema import LaneSpan, SpanFeed
from hmi_tui.timeline.lanes import GENERATE, LANES, Bar, stack

KEPT_S = 90.0
KEPT_BATCHES = 2500
"""Of a busy engine fewer seconds are kept, so that drawing stays quick."""

Rows = tuple[tuple[Bar, ...], ...]
"""Of one lane: bars that overlap lie in rows of their own."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known of one batch; seconds by stage."""

    number: int
    start: float
    end: float
    texts: int
    tokens: int
    models: int
    tenants: int
    misses: int | None
    """Tokens without a table row; None if no table was asked."""
    largest: Mapping[str, int]
    """The tenants with most texts in it."""
    vplms: Mapping[str, int]
    """Likewise the vPLMs."""
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Recording:
    """Instants are Unix seconds of the engine's clock."""

    lanes: Mapping[str, Rows] = field(default_factory=dict)
    batches: Mapping[int, Batch] = field(default_factory=dict)
    """By number, rising."""
    last: int | None = None
    """Where the next feed goes on."""
    now: float = 0.0

    @property
    def begin(self) -> float:
        """Of the earliest bar."""
        return min((bar.start for bar in self.bars()), default=self.now)

    def bars(self) -> Iterable[Bar]:
        return (bar for rows in self.lanes.values() for row in rows for bar in row)

    def grown(self, feed: SpanFeed) -> Recording:
        """With what is new in `feed`; what it has in common with an earlier one is there once.

        After a hole nothing before it is kept: it would look as if nobody had worked in it.
        """
        known = Recording() if feed.missed else self
        fresh = feed.data
        if known.last is not None:
            fresh = fresh[max(0, len(fresh) - max(0, feed.last - known.last)) :]
        batches = dict(known.batches)
        for batch in _batches(fresh):
            batches[batch.number] = batch
        since = feed.time - KEPT_S
        numbers = sorted(number for number, batch in batches.items() if batch.end > since)
        numbers = numbers[-KEPT_BATCHES:]
        if numbers and len(batches) > KEPT_BATCHES:
            since = max(since, batches[numbers[0]].start)
        return Recording(
            lanes=_lanes(known.lanes, fresh, since),
            batches={number: batches[number] for number in numbers},
            last=feed.last,
            now=feed.time,
        )


def _lanes(known: Mapping[str, Rows], fresh: list[LaneSpan], since: float) -> dict[str, Rows]:
    found: dict[str, list[Bar]] = {}
    for span in fresh:
        end = span.start + span.seconds
        if span.lane in (*LANES, GENERATE) and end > since:
            bar = Bar(span.lane, span.name, span.start, end, span.batch)
            found.setdefault(span.lane, []).append(bar)
    lanes: dict[str, Rows] = {}
    for lane in (*LANES, GENERATE):
        rows = [[bar for bar in row if bar.end > since] for row in known.get(lane, ())]
        # A row keeps its place while it is empty: bars must not jump while they move.
        rows = stack(sorted(found.get(lane, ()), key=lambda bar: bar.start), rows)
        while rows and not rows[-1]:
            rows.pop()
        if rows or lane in LANES:
            lanes[lane] = tuple(tuple(row) for row in rows)
    return lanes


def _batches(spans: Iterable[LaneSpan]) -> Iterable[Batch]:
    members: dict[int, dict[str, LaneSpan]] = {}
    for span in spans:
        if span.batch is not None:
            members.setdefault(span.batch, {})[span.lane] = span
    for number, lanes in members.items():
        one = next(iter(lanes.values()))
        retrieve, compute = lanes.get("retrieve"), lanes.get("compute")
        yield Batch(
            number=number,
            start=min(span.start for span in lanes.values()),
            end=max(span.start + span.seconds for span in lanes.values()),
            texts=one.texts or 0,
            tokens=one.tokens or 0,
            models=one.models or 0,
            tenants=one.tenants or 0,
            misses=retrieve.misses if retrieve else None,
            largest=compute.largest if compute else {},
            vplms=compute.vplms if compute else {},
            seconds={lane: span.seconds for lane, span in lanes.items()},
        )
