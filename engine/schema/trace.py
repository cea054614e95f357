"""The engine's spans: as Chrome's trace events, which ui.perfetto.dev reads, and as they come."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from engine.schema.base import Answer


class TraceEvent(Answer):
    """`ts` and `dur` are microseconds, `pid` and `tid` name the track."""

    ph: Literal["X", "M", "C", "s", "t", "f"]
    name: str
    pid: int
    tid: int
    ts: float
    dur: float | None = None
    cat: str | None = None
    id: int | None = None
    bp: str | None = None
    args: dict[str, str | int | float] = Field(default_factory=dict)


class Trace(Answer):
    """The whole document; written with `json`, it is a file that trace viewers open."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    events: list[TraceEvent] = Field(alias="traceEvents")
    unit: str = Field("ms", alias="displayTimeUnit")

    def json_text(self) -> str:
        """The document in the format's own names."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


class LaneSpan(Answer):
    """One piece of work. What is None does not apply; see engine.telemetry.spans."""

    lane: str
    """queue, retrieve, load, compute, prefetch (to the host), swap (to the device), epoch, job,
    generate (a round of the decoder's batch, named after the tokens it ran)."""
    name: str
    start: float
    seconds: float
    batch: int | None = None
    texts: int | None = None
    tokens: int | None = None
    models: int | None = None
    """Distinct adapters."""
    tenants: int | None = None
    misses: int | None = None
    bytes: int | None = None
    largest: dict[str, int] = Field(default_factory=dict)
    """Of compute: the tenants with most texts in the batch, and how many."""
    vplms: dict[str, int] = Field(default_factory=dict)
    """Likewise the vPLMs, at most eight of them."""


class SpanFeed(Answer):
    """Spans in the order in which they ended, about. Ask again with `after` = `last`."""

    time: float
    """When the engine answered."""
    last: int
    missed: int
    """Spans since `after` that are not here: more than the limit, or than the engine keeps."""
    data: list[LaneSpan]
