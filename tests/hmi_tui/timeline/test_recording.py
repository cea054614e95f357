from __future__ import annotations

from engine.schema import LaneSpan, SpanFeed
from hmi_tui.timeline.lanes import LANES, shown
from hmi_tui.timeline.recording import KEPT_BATCHES, KEPT_S, Recording


def batch(number: int, at: float | None = None, seconds: float = 0.5) -> list[LaneSpan]:
    start = float(number) if at is None else at
    return [
        LaneSpan(
            lane=lane,
            name=f"batch {number}",
            start=start + offset,
            seconds=seconds,
            batch=number,
            texts=2,
            tokens=9,
            models=2,
            tenants=1,
            misses=3 if lane == "retrieve" else None,
            largest={"acme": 2} if lane == "compute" else {},
        )
        for lane, offset in (("retrieve", 0.0), ("compute", seconds))
    ]


def feed(spans: list[LaneSpan], last: int, missed: int = 0, time: float = 0.0) -> SpanFeed:
    return SpanFeed(
        time=time or max((s.start for s in spans), default=1.0),
        last=last,
        missed=missed,
        data=spans,
    )


def names(recording: Recording) -> list[str]:
    return sorted(bar.name for bar in recording.bars() if bar.lane == "compute")


def test_a_batch_is_known_by_all_its_stages() -> None:
    found = Recording().grown(feed(batch(7), 2)).batches[7]
    assert (found.start, found.end, found.texts, found.tokens, found.misses) == (7.0, 8.0, 2, 9, 3)
    assert found.seconds == {"retrieve": 0.5, "compute": 0.5}
    assert found.largest == {"acme": 2}


def test_a_recording_grows_by_what_is_new() -> None:
    first = Recording().grown(feed(batch(1), 2))
    second = first.grown(feed(batch(2), 4))
    assert names(second) == ["batch 1", "batch 2"]
    assert list(second.batches) == [1, 2]
    assert names(first) == ["batch 1"]


def test_what_was_told_twice_is_there_once() -> None:
    first = Recording().grown(feed(batch(1), 2))
    assert names(first.grown(feed(batch(1), 2))) == ["batch 1"]
    assert names(first.grown(feed([*batch(1), *batch(2)], 4))) == ["batch 1", "batch 2"]


def test_after_a_hole_nothing_before_it_is_kept() -> None:
    first = Recording().grown(feed(batch(1), 2))
    after = first.grown(feed(batch(9), 18, missed=14))
    assert names(after) == ["batch 9"]
    assert list(after.batches) == [9]


def test_a_tick_without_news_moves_the_clock_alone() -> None:
    first = Recording().grown(feed(batch(1), 2))
    later = first.grown(feed([], 2, time=5.0))
    assert later.now == 5.0
    assert names(later) == ["batch 1"]


def test_what_is_long_past_is_forgotten() -> None:
    first = Recording().grown(feed([*batch(1), *batch(40)], 4))
    later = first.grown(feed([], 4, time=KEPT_S + 20))
    assert names(later) == ["batch 40"]
    assert list(later.batches) == [40]


def test_of_many_batches_the_newest_are_kept() -> None:
    many = [
        span for number in range(KEPT_BATCHES + 50) for span in batch(number, number / 1e3, 1e-4)
    ]
    recording = Recording().grown(feed(many, len(many)))
    assert len(recording.batches) == KEPT_BATCHES
    assert min(recording.batches) == 50
    assert len(names(recording)) == KEPT_BATCHES


def test_bars_that_overlap_keep_their_rows_from_feed_to_feed() -> None:
    first = Recording().grown(feed([*batch(1, 0.0, 3.0), *batch(2, 1.0, 3.0)], 4))
    second = first.grown(feed(batch(3, 7.5, 1.0), 6))
    rows = [[bar.batch for bar in row] for row in second.lanes["compute"]]
    assert rows == [[1, 3], [2]]


def test_an_empty_recording_begins_now() -> None:
    assert Recording(now=4.0).begin == 4.0
    assert Recording().grown(feed(batch(3), 2)).begin == 3.0


def test_rounds_of_the_decoder_have_a_lane_while_there_are_any() -> None:
    turns = [
        LaneSpan(lane="generate", name="decode 3", start=at, seconds=0.5, models=2, tokens=3)
        for at in (1.0, 2.0)
    ]
    first = Recording().grown(feed([*batch(1), *turns], 4))
    assert [bar.name for bar in first.bars() if bar.lane == "generate"] == ["decode 3"] * 2
    assert list(first.batches) == [1]
    assert shown(first.lanes)[4] == "generate"
    later = first.grown(feed([], 4, time=3.0 + KEPT_S))
    assert "generate" not in later.lanes
    assert shown(later.lanes) == LANES
