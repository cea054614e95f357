"""What the engine remembers of its own work."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from engine.appliance import Appliance
from engine.errors import NotFound
from engine.schema import Slot, TraceEvent, VplmPatch
from tests.engine.appliance.small import (
    TEXTS,
    classify,
    core_of,
    make_domain,
    make_vplm,
    until,
)


@dataclass(frozen=True)
class OverlappedBatch:
    """A record of a pipeline that says when its stages began."""

    number: int = 7
    texts: int = 2
    tokens: int = 9
    models: int = 2
    tenants: tuple[tuple[str, int], ...] = (("acme", 2),)
    vplms: tuple[tuple[str, int], ...] = (("acme/a", 2),)
    lookups: tuple[()] = ()
    oldest: float = 100.0
    taken: float = 101.0
    failed: int = 0

    @property
    def seconds(self) -> dict[str, float]:
        return {"retrieve": 0.5, "load": 0.25, "compute": 2.0}

    @property
    def began(self) -> dict[str, float]:
        return {"retrieve": 101.5, "load": 101.25, "compute": 103.0}


def slices(appliance: Appliance) -> list[TraceEvent]:
    return [event for event in appliance.trace(60.0) if event.ph == "X"]


def test_a_batch_leaves_a_span_in_each_lane(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    classify(appliance, "acme/a", list(TEXTS))
    found = {event.cat: event for event in slices(appliance) if "batch" in event.args}
    assert set(found) == {"queue", "retrieve", "load", "compute"}
    assert found["compute"].args["texts"] == len(TEXTS)
    assert found["compute"].args["models"] == 1
    misses = found["retrieve"].args["misses"]
    assert 0 <= int(misses) <= int(found["retrieve"].args["tokens"])
    assert found["queue"].ts <= found["retrieve"].ts <= found["compute"].ts


def test_jobs_and_epochs_have_lanes_of_their_own(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    # The span is there a moment after the job can be seen to have ended.
    until(lambda: any(event.cat == "job" for event in slices(appliance)), "the job's span")
    found = {event.cat: event.name for event in slices(appliance)}
    assert found["epoch"] == "reviews 1"
    assert found["job"] == "rebuild reviews succeeded"


def test_stages_lie_where_the_pipeline_says_they_began(appliance: Appliance) -> None:
    core = core_of(appliance)
    core.chronicle.batch(OverlappedBatch())  # type: ignore[arg-type]
    starts = {span.lane: span.start for span in core.chronicle.spans.recent(4)}
    assert starts == {"queue": 100.0, "retrieve": 101.5, "load": 101.25, "compute": 103.0}


def test_the_live_stream_says_when_each_stage_began(appliance: Appliance) -> None:
    make_vplm(appliance, mode="exact")
    before = time.time()
    classify(appliance, "acme/a", "dull")
    (event,) = [event for event in appliance.events.since(0) if event.type == "span"]
    began = event.data["began"]
    assert list(began) == ["queue", "retrieve", "load", "compute"]
    assert before - 0.1 <= began["queue"] <= began["compute"] <= time.time() + 0.1


def test_only_what_ended_lately_is_told(appliance: Appliance) -> None:
    make_vplm(appliance, mode="exact")
    classify(appliance, "acme/a", "dull")
    assert slices(appliance)
    assert [event for event in appliance.trace(1e-9) if event.ph == "X"] == []


def test_a_level_says_how_often_the_table_was_hit(appliance: Appliance) -> None:
    make_domain(appliance, "reviews")
    make_vplm(appliance, domain="reviews")
    answer = classify(appliance, "acme/a", "a good film")
    rates = [e.args["value"] for e in appliance.trace(60.0) if e.name == "table hit rate"]
    assert rates == [pytest.approx(answer.timing.hit_rate)]


def test_an_adapters_way_up_is_seen_in_lanes_of_its_own(appliance: Appliance) -> None:
    vplm = make_vplm(appliance, mode="exact")
    classify(appliance, "acme/a", "dull")
    found = {event.cat: event for event in slices(appliance)}
    for lane in ("prefetch", "swap"):
        assert vplm.adapter.startswith(found[lane].name)
        assert int(found[lane].args["bytes"]) > 0
    assert found["prefetch"].ts <= found["swap"].ts <= found["compute"].ts


def test_spans_come_as_they_end_and_then_only_what_is_new(appliance: Appliance) -> None:
    make_vplm(appliance, mode="exact")
    classify(appliance, "acme/a", ["dull", "good"])
    first = appliance.spans(None, 100)
    compute = next(span for span in first.data if span.lane == "compute")
    assert (compute.texts, compute.tenants, compute.largest) == (2, 1, {"acme": 2})
    assert first.time - 60 < compute.start < compute.start + compute.seconds <= first.time
    assert appliance.spans(first.last, 100).data == []
    classify(appliance, "acme/a", "dull")
    fresh = appliance.spans(first.last, 100)
    assert {span.batch for span in fresh.data if span.batch} == {(compute.batch or 0) + 1}
    assert fresh.missed == 0


def test_only_the_largest_tenants_of_a_batch_are_named(appliance: Appliance) -> None:
    core = core_of(appliance)
    tenants = tuple((f"t{n:02d}", 30 - n) for n in range(20))
    core.chronicle.batch(OverlappedBatch(tenants=tenants))  # type: ignore[arg-type]
    (compute,) = [span for span in appliance.spans(None, 4).data if span.lane == "compute"]
    assert compute.tenants == 20
    assert list(compute.largest.items()) == list(tenants[:8])


def test_the_slot_of_what_was_asked_for_is_warm_and_the_others_are_free(
    appliance: Appliance,
) -> None:
    vplm = make_vplm(appliance, mode="exact")
    assert set(appliance.slots(1, 4096).heat) == {None}
    for _ in range(3):
        classify(appliance, "acme/a", "dull")
    appliance.change_vplm(vplm.id, VplmPatch(pin=True))
    found = appliance.slots(1, 4096)
    assert (found.resident, found.loading, found.pinned) == (1, 0, [1])
    assert len(found.heat) == found.slots
    assert found.heat[0] == pytest.approx(3, rel=0.01)
    assert set(found.heat[1:]) <= {None}


def test_slots_beyond_the_last_one_are_not_told(appliance: Appliance) -> None:
    slots = appliance.slots(1, 4096).slots
    assert len(appliance.slots(slots, 10).heat) == 1
    assert appliance.slots(slots + 1, 10).heat == []


def test_a_slot_tells_whose_it_is(appliance: Appliance) -> None:
    made = make_vplm(appliance)
    make_vplm(appliance, "acme/twin", adapter=made.adapter)
    classify(appliance, "acme/a", "dull")
    appliance.change_vplm("acme/a", VplmPatch(pin=True))
    heat = appliance.slots(1, 4096).heat
    (number,) = [at for at, each in enumerate(heat, 1) if each is not None]
    told = appliance.slot(number)
    assert (told.slot, told.adapter, told.pinned) == (number, made.adapter, True)
    assert (told.vplms, told.users) == (["acme/a", "acme/twin"], 2)
    assert told.heat == heat[number - 1]


def test_a_free_slot_is_nobodys_and_one_that_is_not_there_is_not_found(
    appliance: Appliance,
) -> None:
    slots = appliance.slots(1, 1).slots
    assert appliance.slot(slots) == Slot(slot=slots)
    for number in (0, slots + 1):
        with pytest.raises(NotFound, match=f"no slot {number}"):
            appliance.slot(number)
