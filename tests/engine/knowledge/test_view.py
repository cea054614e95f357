from __future__ import annotations

import threading

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge.view import MISS, Segment, TableView
from engine.model.rows import row_bytes

WIDTH = 4
level = st.dictionaries(st.integers(0, 25), st.integers(1, 99), max_size=12)
"""One node's table: key -> count."""


def _segment(domain: str, held: dict[int, int], level_number: int) -> Segment:
    """Rows say whose they are: every byte in row i of level n is 20 n + i."""
    keys = np.array(sorted(held), dtype=np.int64)
    values = (20 * level_number + np.arange(len(keys))).astype(np.int8)
    rows = np.repeat(values[:, None], row_bytes(WIDTH), axis=1)
    counts = np.array([held[int(k)] for k in keys], dtype=np.int64)
    return Segment(domain, 1, keys, rows, counts)


def _view(levels: list[dict[int, int]]) -> TableView:
    parts = tuple(_segment(f"node-{n}", held, n) for n, held in enumerate(levels))
    return TableView("node-0", parts, WIDTH)


def _nearest(levels: list[dict[int, int]], key: int) -> tuple[int, int] | None:
    """(level, place in it) of the nearest node that has the key."""
    for number, held in enumerate(levels):
        if key in held:
            return number, sorted(held).index(key)
    return None


@settings(max_examples=70, deadline=None)
@given(st.lists(level, max_size=6))
def test_the_nearest_node_that_has_an_ngram_answers_whatever_the_depth(
    levels: list[dict[int, int]],
) -> None:
    view = _view(levels)
    keys = np.arange(26, dtype=np.int64)
    truth = [_nearest(levels, int(k)) for k in keys]
    found = view.find(keys)
    assert (found == MISS).tolist() == [t is None for t in truth]
    assert view.entries == sum(t is not None for t in truth)
    hit = found[found != MISS]
    expected = [20 * level + place for level, place in filter(None, truth)]
    gathered = view.gather(hit)
    assert gathered.dtype == np.int8
    assert gathered.shape == (len(hit), row_bytes(WIDTH))
    assert (gathered == np.array(expected, np.int8)[:, None]).all()
    assert [view.source(int(r)) for r in hit] == [f"node-{t[0]}" for t in filter(None, truth)]


@settings(max_examples=40, deadline=None)
@given(st.lists(level, min_size=1, max_size=4), st.data())
def test_rows_are_gathered_in_the_order_asked_for_and_as_often(
    levels: list[dict[int, int]], data: st.DataObject
) -> None:
    view = _view(levels)
    visible = view.find(np.arange(26, dtype=np.int64))
    visible = visible[visible != MISS]
    if not visible.size:
        return
    asked = np.array(data.draw(st.lists(st.sampled_from(visible.tolist()), max_size=30)), np.int32)
    each = [view.gather(asked[i : i + 1])[0] for i in range(len(asked))]
    assert np.array_equal(view.gather(asked), np.array(each).reshape(-1, row_bytes(WIDTH)))


@settings(max_examples=40, deadline=None)
@given(st.lists(level, max_size=4), st.lists(st.integers(0, 25), max_size=40))
def test_the_most_used_entries_come_first_and_hidden_ones_never(
    levels: list[dict[int, int]], asked: list[int]
) -> None:
    view = _view(levels)
    keys, times = np.unique(np.array(asked, dtype=np.int64), return_counts=True)
    rows = view.find(keys)
    view.count(rows[rows != MISS], times[rows != MISS])
    visible = [k for k in range(26) if _nearest(levels, k) is not None]
    expected = []
    for k in visible:
        nearest = _nearest(levels, k)
        assert nearest is not None
        expected.append((-asked.count(k), -levels[nearest[0]][k], k))
    used, counts, hits, numbers = view.used()
    assert list(zip((-hits).tolist(), (-counts).tolist(), used.tolist(), strict=True)) == sorted(
        expected
    )
    assert np.array_equal(view.find(used), numbers)
    assert view.hits.sum() == sum(k in visible for k in asked)


@settings(max_examples=40, deadline=None)
@given(st.lists(level, max_size=4), st.lists(st.integers(0, 25), max_size=40))
def test_what_was_asked_is_told_with_how_often(
    levels: list[dict[int, int]], asked: list[int]
) -> None:
    view = _view(levels)
    keys, times = np.unique(np.array(asked, dtype=np.int64), return_counts=True)
    rows = view.find(keys)
    view.count(rows[rows != MISS], times[rows != MISS])
    told = dict(zip(*(part.tolist() for part in view.asked()), strict=True))
    assert told == {k: asked.count(k) for k in asked if _nearest(levels, k) is not None}


def test_counters_add_up_and_belong_to_one_view_alone() -> None:
    levels = [{1: 5}, {1: 7, 2: 3}]
    view, other = _view(levels), _view(levels)
    rows = view.find(np.array([1, 2]))
    view.count(rows, np.array([3, 1]))
    view.count(rows[:1], np.array([4]))
    assert view.hits[rows].tolist() == [7, 1]
    assert not other.hits.any()


def test_what_was_asked_is_told_while_others_count() -> None:
    held = 100_000
    view = _view([dict.fromkeys(range(held), 1)])
    told = threading.Event()

    def count() -> None:
        rng = np.random.default_rng(0)
        while not told.is_set():
            view.count(rng.integers(held, size=64, dtype=np.int32), np.ones(64, dtype=np.int64))

    counting = threading.Thread(target=count)
    counting.start()
    try:
        for _ in range(500):
            keys, times = view.asked()
            assert len(keys) == len(times)
            view.hits[:] = 0
    finally:
        told.set()
        counting.join()


def test_a_view_without_segments_misses_everything(empty_view: TableView) -> None:
    assert empty_view.entries == 0
    assert empty_view.find(np.array([3, 4])).tolist() == [MISS, MISS]
    assert empty_view.gather(np.empty(0, np.int32)).shape == (0, row_bytes(32))
    assert all(len(part) == 0 for part in empty_view.used())
