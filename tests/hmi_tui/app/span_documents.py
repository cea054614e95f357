"""What a pipeline under way tells: batches of two workers, copies, an epoch; and its slots."""

from __future__ import annotations

from engine.schema import LaneSpan, Slot, SlotMap
from tests.hmi_tui.app.engine_documents import NOW, sha

BEAT_S = 0.2
"""Between two batches; each is computed for twice as long."""
BEGAN = NOW - 9.0


def batch(number: int) -> list[LaneSpan]:
    """The number-th: retrieved, loaded, computed, in a beat and a half and without a pause."""
    at = BEGAN + number * BEAT_S
    parts = {
        "queue": (-0.1, 0.1),
        "retrieve": (0, 0.05),
        "load": (0.05, 0.01),
        "compute": (0.1, 0.35),
    }
    return [
        LaneSpan(
            lane=lane,
            name=f"batch {number}",
            start=at + begin,
            seconds=seconds,
            batch=number,
            texts=12,
            tokens=400,
            models=5,
            tenants=5,
            misses=100 if lane == "retrieve" else None,
            largest={"acme": 7, "globex": 2} if lane == "compute" else {},
            vplms={"acme/polarity": 7, "globex/desk": 2} if lane == "compute" else {},
        )
        for lane, (begin, seconds) in parts.items()
    ]


def batches(first: int, last: int) -> list[LaneSpan]:
    return [span for number in range(first, last + 1) for span in batch(number)]


def beside() -> list[LaneSpan]:
    """What went on beside the batches."""
    return [
        LaneSpan(lane="prefetch", name="ab12cd34ef56", start=BEGAN + 1, seconds=0.2, bytes=610_304),
        LaneSpan(lane="swap", name="ab12cd34ef56", start=BEGAN + 1.2, seconds=0.1, bytes=610_304),
        LaneSpan(lane="epoch", name="reviews 4", start=BEGAN + 3, seconds=0.01),
    ]


def slot_map() -> SlotMap:
    """Eighty slots: hot ones first, a few that nobody asked for, and free ones."""
    heat = [64.0, 60.0, 9.0, 9.0, 2.0, 1.0, 0.0, *[None] * 73]
    return SlotMap(
        slots=80,
        slot_bytes=610_304,
        resident=7,
        loading=0,
        first=1,
        heat=heat,
        pinned=[3],
        held=[1, 2],
    )


def no_slots() -> SlotMap:
    return slot_map().model_copy(
        update={"resident": 0, "heat": [None] * 80, "pinned": [], "held": []}
    )


def a_slot(slots: SlotMap, number: int) -> Slot:
    """One slot of the map; the n-th is acme/model-n's, and free ones are nobody's."""
    heat = slots.heat[number - slots.first]
    if heat is None:
        return Slot(slot=number)
    vplm = f"acme/model-{number:05d}"
    return Slot(
        slot=number,
        adapter=sha(vplm),
        heat=heat,
        pinned=number in slots.pinned,
        held=number in slots.held,
        vplms=[vplm],
        users=1,
    )
