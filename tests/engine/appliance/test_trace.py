"""What the engine remembers of its own work."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from engine.appliance import Appliance
from engine.schema import TraceEvent
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
