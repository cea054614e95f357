from __future__ import annotations

import pytest

from hmi_tui.timeline.lanes import Bar
from hmi_tui.timeline.summary import lines, summarise


def bar(lane: str, start: float, end: float, batch: int = 1) -> Bar:
    return Bar(lane, f"batch {batch}", start, end, batch)


SERIAL = [
    bar("queue", 0, 1),
    bar("retrieve", 1, 2),
    bar("compute", 2, 4),
    bar("queue", 0, 4, 2),
    bar("retrieve", 4, 5, 2),
    bar("compute", 5, 7, 2),
]
OVERLAPPED = [
    bar("retrieve", 0, 1),
    bar("compute", 1, 3),
    bar("retrieve", 1, 2, 2),
    bar("compute", 3, 5, 2),
]


def test_one_stage_after_the_other_overlaps_nothing_and_leaves_bubbles() -> None:
    found = summarise(SERIAL)
    assert found is not None
    assert (found.span_s, found.batches, found.overlap) == (6, 2, 0)
    assert found.busy["compute"] == pytest.approx(4 / 6)
    assert found.busy["retrieve"] == pytest.approx(2 / 6)
    assert (found.bubbles, found.bubble_s, found.longest_bubble_s) == (1, 1, 1)


def test_overlapped_stages_leave_no_bubble() -> None:
    found = summarise(OVERLAPPED)
    assert found is not None
    assert found.overlap == pytest.approx(1 / 5)
    assert (found.bubbles, found.bubble_s) == (0, 0)


def test_idle_time_without_a_waiting_text_is_no_bubble() -> None:
    found = summarise([bar("compute", 0, 1), bar("retrieve", 9, 10, 2), bar("compute", 10, 11, 2)])
    assert found is not None
    assert found.bubble_s == 1


def test_work_beside_the_pipeline_does_not_stretch_the_traced_time() -> None:
    found = summarise([Bar("job", "train", -100, 100, None), *OVERLAPPED])
    assert found is not None
    assert found.span_s == 5
    assert found.busy["job"] == 1


def test_no_batch_is_no_summary() -> None:
    assert summarise([]) is None
    assert summarise([Bar("job", "train", 0, 100, None)]) is None


def test_the_summary_reads_as_lines() -> None:
    found = summarise(SERIAL)
    assert found is not None
    told = dict(lines(found))
    assert told["traced"] == "6.0 s, 2 batches"
    assert told["compute bubbles"] == "1, 16.7 % of the time, the longest 1.0 s"
