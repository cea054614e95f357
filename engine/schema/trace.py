"""The engine's spans as Chrome's trace events, which ui.perfetto.dev reads."""

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
