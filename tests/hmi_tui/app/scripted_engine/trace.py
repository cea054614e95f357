"""What the engine in memory answers about lanes and slots."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.schema import LaneSpan, Slot, SlotMap, SpanFeed, Trace
from tests.hmi_tui.app.engine_documents import NOW
from tests.hmi_tui.app.scripted_engine.script import Script
from tests.hmi_tui.app.span_documents import a_slot, no_slots


@dataclass
class TraceAnswers(Script):
    spans_told: list[LaneSpan] = field(default_factory=list)
    slot_map: SlotMap = field(default_factory=no_slots)

    async def spans(self, after: int | None = None, limit: int = 1024) -> SpanFeed:
        self._answer("spans", after, limit)
        fresh = self.spans_told[after or 0 :]
        ends = (span.start + span.seconds for span in self.spans_told)
        return SpanFeed(
            time=max(ends, default=NOW),
            last=len(self.spans_told),
            missed=max(0, len(fresh) - limit) if after is not None else 0,
            data=fresh[-limit:],
        )

    async def slots(self, first: int = 1, limit: int = 1024) -> SlotMap:
        self._answer()
        return self.slot_map

    async def slot(self, number: int) -> Slot:
        self._answer("slot", number)
        return a_slot(self.slot_map, number)

    async def trace(self, seconds: float = 30.0) -> Trace:
        self._answer("trace", seconds)
        return Trace(events=[])
