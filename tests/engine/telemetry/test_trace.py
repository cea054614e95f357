from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.api.routes.trace import PIECE, pieces
from engine.schema import Trace, TraceEvent
from engine.telemetry.spans import LANES, Level, Span
from engine.telemetry.trace import trace_events

SPANS = st.lists(
    st.builds(
        Span,
        lane=st.sampled_from(LANES),
        name=st.text(max_size=5),
        start=st.floats(0, 10),
        seconds=st.floats(0, 3),
        batch=st.none() | st.integers(1, 5),
    ),
    max_size=40,
).map(lambda spans: sorted(spans, key=lambda span: span.start))


def batch(number: int, at: float) -> list[Span]:
    """Its queue, retrieve, load and compute, a tenth of a second each."""
    return [
        Span(lane, f"batch {number}", at + i / 10, 0.1, batch=number, texts=3)
        for i, lane in enumerate(LANES[:4])
    ]


def document(events: list[TraceEvent]) -> Any:
    return json.loads("".join(pieces(events)))


def check_format(found: Any) -> None:
    """What Chrome's trace event format asks of each kind of event."""
    assert found["displayTimeUnit"] in ("ms", "ns")
    for event in found["traceEvents"]:
        assert {"ph", "ts", "pid", "tid", "name"} <= event.keys()
        assert isinstance(event["ts"], int | float)
        assert event["ts"] >= 0
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        kind = event["ph"]
        if kind == "X":
            assert event["dur"] >= 0
            assert event["cat"] in LANES
        elif kind == "C":
            assert all(isinstance(value, int | float) for value in event["args"].values())
        elif kind == "M":
            assert event["args"]
        else:
            assert kind in "stf"
            assert isinstance(event["id"], int)


@given(SPANS)
def test_any_spans_make_a_document_of_the_format(spans: list[Span]) -> None:
    levels = [Level(1.0, 3, 0.5), Level(2.0, 4, None)]
    check_format(document(list(trace_events(spans, levels, 0.0, "began today"))))


@given(SPANS)
def test_spans_on_one_track_never_overlap(spans: list[Span]) -> None:
    ends: dict[int, float] = {}
    for event in trace_events(spans, [], 0.0):
        if event.ph == "X":
            assert event.ts >= ends.get(event.tid, 0.0) - 0.01
            ends[event.tid] = event.ts + (event.dur or 0.0)


@given(SPANS)
def test_every_arrow_has_one_beginning_and_one_end(spans: list[Span]) -> None:
    arrows: dict[int, list[str]] = {}
    for event in trace_events(spans, [], 0.0):
        if event.ph in ("s", "t", "f"):
            assert event.id is not None
            arrows.setdefault(event.id, []).append(event.ph)
    for steps in arrows.values():
        assert (steps[0], steps[-1]) == ("s", "f")
        assert set(steps[1:-1]) <= {"t"}


def test_times_are_microseconds_from_the_origin() -> None:
    (found,) = [e for e in trace_events(batch(1, 7.0)[:1], [], 5.0) if e.ph == "X"]
    assert (found.ts, found.dur) == (2_000_000.0, 100_000.0)
    assert found.args == {"batch": 1, "texts": 3}


def test_arrows_lead_from_a_batchs_retrieve_over_its_load_to_its_compute() -> None:
    spans = sorted(batch(1, 0.0) + batch(2, 0.05), key=lambda span: span.start)
    events = list(trace_events(spans, [], 0.0))
    slices = [e for e in events if e.ph == "X"]
    for step, lane in (("s", "retrieve"), ("t", "load"), ("f", "compute")):
        for arrow in (e for e in events if e.ph == step):
            around = [e for e in slices if e.tid == arrow.tid and e.args["batch"] == arrow.id]
            assert [e.cat for e in around] == [lane]
            assert around[0].ts <= arrow.ts <= around[0].ts + (around[0].dur or 0)


def test_lanes_are_named_and_overlapping_work_gets_a_second_track() -> None:
    spans = sorted(batch(1, 0.0) + batch(2, 0.05), key=lambda span: span.start)
    names = {e.args["name"] for e in trace_events(spans, [], 0.0) if e.name == "thread_name"}
    assert names == {f"{lane}{more}" for lane in LANES[:4] for more in ("", " 2")}


def test_levels_are_counters_and_no_rate_is_no_point() -> None:
    levels = [Level(1.0, 3, 0.5), Level(2.0, 4, None)]
    found = [(e.name, e.ts, e.args["value"]) for e in trace_events([], levels, 0.0) if e.ph == "C"]
    assert found == [
        ("waiting texts", 1e6, 3),
        ("table hit rate", 1e6, 0.5),
        ("waiting texts", 2e6, 4),
    ]


def test_pieces_are_one_document_however_many_events_there_are() -> None:
    one = TraceEvent(ph="X", name="a", cat="compute", pid=1, tid=1, ts=0.0, dur=1.0)
    for count in (0, 1, PIECE, PIECE + 1, 3 * PIECE):
        text = "".join(pieces([one] * count))
        assert Trace.model_validate_json(text).events == [one] * count


def test_the_document_keeps_the_formats_own_names() -> None:
    one = TraceEvent(ph="M", name="process_name", pid=1, tid=0, ts=0.0, args={"name": "hmi"})
    written = json.loads(Trace(events=[one]).json_text())
    assert written == document([one])
