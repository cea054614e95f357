from __future__ import annotations

from engine.telemetry.spans import STAGES, Lane, Level, Span, SpanRing, stage_starts


def span(batch: int, lane: Lane, seconds: float, start: float = 0.0) -> Span:
    return Span(lane, f"batch {batch}", start, seconds, batch=batch, texts=1, tokens=2)


def test_the_ring_keeps_the_latest_oldest_first() -> None:
    ring = SpanRing(capacity=3)
    for batch in range(5):
        ring.record(span(batch, "compute", 1.0))
    assert [each.batch for each in ring.recent(2)] == [3, 4]
    assert [each.batch for each in ring.recent(99)] == [2, 3, 4]
    assert ring.recent(0) == []


def test_shares_add_up_the_seconds_of_each_stage_and_of_nothing_else() -> None:
    ring = SpanRing()
    ring.record(span(1, "retrieve", 0.5), span(1, "compute", 1.0))
    ring.record(span(2, "compute", 2.0))
    ring.record(Span("job", "train acme/a", 0.0, 60.0))
    assert ring.shares() == {"queue": 0.0, "retrieve": 0.5, "load": 0.0, "compute": 3.0}


def test_what_ended_after_an_instant_comes_by_its_start() -> None:
    ring = SpanRing()
    ring.record(span(1, "compute", 1.0, start=0.0), span(2, "compute", 3.0, start=8.0))
    ring.record(Span("job", "a long one", 2.0, 20.0))
    ring.level(Level(4.0, 7, None))
    ring.level(Level(9.0, 8, 0.5))
    spans, levels = ring.since(5.0)
    assert [each.start for each in spans] == [2.0, 8.0]
    assert [each.waiting for each in levels] == [8]


def test_stages_begin_when_the_pipeline_says_so() -> None:
    began = {"retrieve": 2.0, "load": 2.5, "compute": 4.0}
    starts = stage_starts(1.0, dict.fromkeys(STAGES, 0.25), began)
    assert starts == {"queue": 1.0, **began}


def test_without_instants_a_stage_follows_the_one_before_it() -> None:
    seconds = dict(zip(STAGES, (0.5, 1.0, 0.25, 2.0), strict=True))
    starts = stage_starts(1.0, seconds, {})
    assert starts == {"queue": 1.0, "retrieve": 1.5, "load": 2.5, "compute": 2.75}


def test_after_a_number_only_newer_spans_are_told() -> None:
    ring = SpanRing(first=10)
    ring.record(span(1, "compute", 1.0), span(2, "compute", 1.0))
    spans, last, missed = ring.after(None, 9)
    assert ([each.batch for each in spans], last, missed) == ([1, 2], 11, 0)
    ring.record(span(3, "compute", 1.0))
    spans, last, missed = ring.after(last, 9)
    assert ([each.batch for each in spans], last, missed) == ([3], 12, 0)
    assert ring.after(last, 9) == ([], 12, 0)


def test_what_was_too_much_to_tell_is_counted() -> None:
    ring = SpanRing(capacity=3, first=0)
    for batch in range(5):
        ring.record(span(batch, "compute", 1.0))
    spans, _, missed = ring.after(0, 9)
    assert ([each.batch for each in spans], missed) == ([2, 3, 4], 1)
    spans, _, missed = ring.after(0, 2)
    assert ([each.batch for each in spans], missed) == ([3, 4], 2)
    spans, _, missed = ring.after(None, 2)
    assert ([each.batch for each in spans], missed) == ([3, 4], 0)


def test_a_number_of_an_earlier_engine_misses_nothing_of_this_one() -> None:
    earlier = SpanRing()
    earlier.record(span(1, "compute", 1.0))
    _, last, _ = earlier.after(None, 9)
    ring = SpanRing(first=last + 1000)
    ring.record(span(1, "compute", 1.0))
    spans, _, missed = ring.after(last, 9)
    assert ([each.batch for each in spans], missed) == ([1], 0)
