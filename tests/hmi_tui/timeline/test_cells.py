from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmi_tui.timeline.cells import bands, fill_cells, glyphs, labels, lane_heights
from hmi_tui.timeline.lanes import LANES, Bar, length, union
from hmi_tui.timeline.view import View

TEN = View(10.0, 10.0)
"""Ten seconds, of which ten cells are a second each."""


def bar(start: float, end: float, batch: int = 2) -> Bar:
    return Bar("compute", f"batch {batch}", start, end, batch)


def test_a_cell_is_as_full_as_its_time_was_used() -> None:
    row = fill_cells([bar(1.5, 3.25)], TEN, 10)
    assert row.fill == [0, 0.5, 1, 0.25, 0, 0, 0, 0, 0, 0]
    assert [x for x, owner in enumerate(row.owner) if owner] == [1, 2, 3]


def test_bars_that_overlap_count_once() -> None:
    row = fill_cells([bar(0.0, 0.5), bar(0.25, 0.75)], TEN, 10)
    assert row.fill[0] == pytest.approx(0.75)


def test_a_cell_belongs_to_the_bar_that_did_most_in_it() -> None:
    row = fill_cells([bar(0.0, 0.3, 1), bar(0.3, 1.0, 2)], TEN, 10)
    owner = row.owner[0]
    assert owner is not None
    assert owner.batch == 2


def test_what_lies_outside_is_left_out_and_what_crosses_the_edge_is_cut() -> None:
    row = fill_cells([bar(-5, -1), bar(-1, 0.5), bar(9.5, 30), bar(11, 12)], TEN, 10)
    assert row.fill == [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]


def test_work_of_no_length_is_seen_all_the_same() -> None:
    row = fill_cells([bar(4.0, 4.0)], TEN, 10)
    assert glyphs(row, 1, 1.0) == ["    ▁     "]


def test_a_tall_row_fills_from_below() -> None:
    row = fill_cells([bar(0.0, 0.5), bar(1, 2), bar(2, 2.25)], TEN, 10)
    assert [line[:4] for line in glyphs(row, 2, 1.0)] == [" █  ", "██▄ "]


def test_neighbouring_batches_differ_in_shade_where_they_are_wide() -> None:
    bars = [bar(0, 4, 1), bar(4, 8, 2)]
    assert glyphs(fill_cells(bars, TEN, 10), 1, 1.0) == ["▓▓▓▓████  "]
    assert glyphs(fill_cells([bar(0, 1, 1)], TEN, 10), 1, 1.0) == ["█         "]


def test_the_chosen_batch_has_a_sign_of_its_own() -> None:
    row = fill_cells([bar(0, 2, 1), bar(2, 4, 2)], TEN, 10, chosen=2)
    assert glyphs(row, 1, 1.0) == ["▓▓◆◆      "]


def test_a_wide_bar_carries_its_number_and_a_narrow_one_does_not() -> None:
    row = fill_cells([bar(0, 5, 17), bar(5, 7, 18)], TEN, 10)
    assert list(labels(row)) == [(1, "17")]


def test_rows_share_the_lines_of_their_lane_and_those_without_join_the_last() -> None:
    rows = [[bar(0, 3)], [bar(1, 4)], [bar(0.5, 5)]]
    assert [lines for _, lines in bands(rows, 5)] == [2, 2, 1]
    (first, one), (rest, two) = bands(rows, 2)
    assert (first, one, two) == (rows[0], 1, 1)
    assert [each.start for each in rest] == [0.5, 1]
    assert bands([], 2) == [([], 2)]


@pytest.mark.parametrize("height", range(8, 60))
def test_every_lane_has_a_line_and_all_fit(height: int) -> None:
    heights = lane_heights(LANES, height)
    assert min(heights.values()) >= 1
    assert sum(heights.values()) <= height
    assert heights["compute"] == max(heights.values())


@given(
    st.lists(st.tuples(st.floats(-3, 12), st.floats(0, 6)), max_size=9).map(
        lambda some: sorted((start, start + seconds) for start, seconds in some)
    )
)
def test_the_cells_hold_the_time_in_which_anybody_worked(some: list[tuple[float, float]]) -> None:
    row = fill_cells([bar(start, end) for start, end in some], TEN, 10)
    inside = union((max(0.0, start), min(10.0, end)) for start, end in some)
    assert sum(row.fill) == pytest.approx(length(inside), abs=1e-6)
    assert all(0 <= share <= 1 for share in row.fill)
