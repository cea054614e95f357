"""What works right now and lately: spans of the stages, and the device's slots."""

from __future__ import annotations

import time
from collections.abc import Iterator

from engine.appliance.calls import Calls
from engine.errors import NotFound
from engine.schema import LaneSpan, Slot, SlotMap, SpanFeed, TraceEvent
from engine.telemetry.spans import Span
from engine.telemetry.trace import trace_events

_USERS = 100
"""vPLMs of one slot that are named."""


class ActivityCalls(Calls):
    def trace(self, seconds: float) -> Iterator[TraceEvent]:
        """What worked in the last `seconds`; longer work is there from its beginning."""
        core, now = self._core, time.perf_counter()
        spans, levels = core.chronicle.spans.since(now - seconds)
        origin = spans[0].start if spans else now - seconds
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(core.chronicle.wall + origin))
        return trace_events(spans, levels, origin, f"began {began}")

    def spans(self, after: int | None, limit: int) -> SpanFeed:
        """The newest spans after number `after`, at most `limit`."""
        chronicle = self._core.chronicle
        spans, last, missed = chronicle.spans.after(after, limit)
        now = chronicle.wall + time.perf_counter()
        data = [_told(span, chronicle.wall) for span in spans]
        return SpanFeed(time=round(now, 6), last=last, missed=missed, data=data)

    def slots(self, first: int, limit: int) -> SlotMap:
        """What is in `limit` slots from `first` on, or in as many as there are."""
        tiers = self._core.tiers
        arena, resident = tiers.arena, tiers.use()["device"].resident
        count = max(0, min(limit, arena.slots + 1 - first))
        found = tiers.slots(first, count)
        heat = [found[at].heat if at in found else None for at in range(first, first + count)]
        return SlotMap(
            slots=arena.slots,
            slot_bytes=arena.slot_bytes,
            resident=resident,
            loading=max(0, arena.slots - arena.slots_left - resident),
            first=first,
            heat=[None if each is None else round(each, 4) for each in heat],
            pinned=sorted(at for at, use in found.items() if use.pinned),
            held=sorted(at for at, use in found.items() if use.held),
        )

    def slot(self, number: int) -> Slot:
        """What is in one slot, and whose it is. NotFound."""
        tiers = self._core.tiers
        if not 1 <= number <= tiers.arena.slots:
            raise NotFound(
                f"There is no slot {number}.",
                remedy=f"The device has slots 1 to {tiers.arena.slots}.",
            )
        use = tiers.slots(number, 1).get(number)
        if use is None:
            return Slot(slot=number)
        users = self._core.catalogue.vplms.users_of([use.adapter])[use.adapter]
        return Slot(
            slot=number,
            adapter=use.adapter,
            heat=round(use.heat, 4),
            pinned=use.pinned,
            held=use.held,
            vplms=users[:_USERS],
            users=len(users),
        )


def _told(span: Span, wall: float) -> LaneSpan:
    return LaneSpan(
        lane=span.lane,
        name=span.name,
        start=round(span.start + wall, 6),
        seconds=round(span.seconds, 6),
        batch=span.batch,
        texts=span.texts,
        tokens=span.tokens,
        models=span.models,
        tenants=span.tenants,
        misses=span.misses,
        bytes=span.bytes,
        largest=dict(span.largest),
        vplms=dict(span.vplms),
    )
