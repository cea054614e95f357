"""What the appliance answers about lanes and slots."""

from __future__ import annotations

from collections.abc import Iterator

from engine.schema import LaneSpan, Slot, SlotMap, SpanFeed, TraceEvent
from tests.engine.api.scripted.script import Script

TRACE_EVENT = TraceEvent(
    ph="X", name="batch 1", cat="compute", pid=1, tid=4, ts=1.5, dur=2.5, args={"batch": 1}
)

SPANS = SpanFeed(
    time=9.0,
    last=7,
    missed=2,
    data=[
        LaneSpan(lane="compute", name="batch 1", start=1.5, seconds=0.5, batch=1, largest={"a": 2})
    ],
)

SLOTS = SlotMap(
    slots=3,
    slot_bytes=10,
    resident=2,
    loading=0,
    first=1,
    heat=[2.5, None, 0.5],
    pinned=[3],
    held=[],
)

SLOT = Slot(slot=3, adapter="ab" * 32, heat=0.5, pinned=True, vplms=["acme/polarity"], users=1)


class TraceAnswers(Script):
    def _script(self) -> None:
        super()._script()
        self.trace_events = 1

    def trace(self, seconds: float) -> Iterator[TraceEvent]:
        self._do("trace", seconds)
        return iter([TRACE_EVENT] * self.trace_events)

    def spans(self, after: int | None, limit: int) -> SpanFeed:
        self._do("spans", after, limit)
        return SPANS

    def slots(self, first: int, limit: int) -> SlotMap:
        self._do("slots", first, limit)
        return SLOTS

    def slot(self, number: int) -> Slot:
        self._do("slot", number)
        return SLOT
