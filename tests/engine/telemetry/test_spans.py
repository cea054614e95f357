from __future__ import annotations

from engine.telemetry.spans import Span, SpanRing, Stage


def span(batch: int, stage: Stage, seconds: float) -> Span:
    return Span(batch=batch, stage=stage, start=0.0, seconds=seconds, texts=1, tokens=2)


def test_the_ring_keeps_the_latest_oldest_first() -> None:
    ring = SpanRing(capacity=3)
    for batch in range(5):
        ring.record(span(batch, "compute", 1.0))
    assert [each.batch for each in ring.recent(2)] == [3, 4]
    assert [each.batch for each in ring.recent(99)] == [2, 3, 4]
    assert ring.recent(0) == []


def test_shares_add_up_the_seconds_of_each_stage() -> None:
    ring = SpanRing()
    ring.record(span(1, "retrieve", 0.5))
    ring.record(span(1, "compute", 1.0))
    ring.record(span(2, "compute", 2.0))
    assert ring.shares() == {"queue": 0.0, "retrieve": 0.5, "load": 0.0, "compute": 3.0}
