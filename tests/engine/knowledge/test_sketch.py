from __future__ import annotations

import threading
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge.sketch import WAYS, MissSketch

SET = WAYS * 16 + 4
batches = st.lists(st.dictionaries(st.integers(1, 60), st.integers(1, 9), max_size=30), max_size=25)


def _add(sketch: MissSketch, batch: dict[int, int]) -> None:
    keys = np.array(list(batch), dtype=np.int64)
    sketch.add(keys, np.array(list(batch.values()), dtype=np.int64))


def _estimates(sketch: MissSketch, keys: list[int]) -> list[int]:
    return list(map(int, sketch.estimate(np.array(keys, dtype=np.int64))))


def _bounds(sketch: MissSketch) -> dict[int, tuple[int, int]]:
    held = sketch.held()
    rows = zip(held.keys.tolist(), held.least.tolist(), held.most.tolist(), strict=True)
    return {key: (least, most) for key, least, most in rows}


@settings(max_examples=150, deadline=None)
@given(batches)
def test_no_estimate_is_below_the_truth_or_more_than_an_eighth_of_the_set_above(
    stream: list[dict[int, int]],
) -> None:
    sketch = MissSketch(SET)
    truth: Counter[int] = Counter()
    for batch in stream:
        _add(sketch, batch)
        truth.update(batch)
    for key, found in zip(range(1, 61), _estimates(sketch, list(range(1, 61))), strict=True):
        assert truth[key] <= found <= truth[key] + truth.total() / WAYS
    for key, (least, most) in _bounds(sketch).items():
        assert least <= truth[key] <= most
    assert sketch.seen == truth.total()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.none(), batches.map(lambda b: b[:1])), max_size=30))
def test_decay_halves_the_truth_and_the_bounds_hold_but_for_less_than_one(
    stream: list[list[dict[int, int]] | None],
) -> None:
    """None in the stream stands for a decay."""
    sketch = MissSketch(2 * SET)
    truth = dict.fromkeys(range(1, 61), 0.0)
    for step in stream:
        if step is None:
            sketch.decay()
            truth = {key: value / 2 for key, value in truth.items()}
            continue
        for batch in step:
            _add(sketch, batch)
            for key, times in batch.items():
                truth[key] += times
    for key, found in zip(range(1, 61), _estimates(sketch, list(range(1, 61))), strict=True):
        assert truth[key] - 1 < found
    for key, (least, most) in _bounds(sketch).items():
        assert least - 1 < truth[key] < most + 1
        assert most > 0


def test_one_decay_halves_every_count_and_forgets_what_came_once() -> None:
    sketch = MissSketch()
    _add(sketch, {key: key for key in range(1, 100)})
    sketch.decay()
    assert _bounds(sketch) == {key: (key // 2, key // 2) for key in range(2, 100)}
    assert sketch.seen == sum(range(100)) // 2


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), batches)
def test_its_memory_is_fixed_and_its_budget_holds(sets: int, stream: list[dict[int, int]]) -> None:
    sketch = MissSketch(sets * SET + 7)
    size = sketch.nbytes
    assert size <= sets * SET
    for batch in stream:
        _add(sketch, batch)
        assert len(sketch.held().keys) <= sketch.capacity == sets * WAYS
    assert sketch.nbytes == size


def test_a_budget_without_room_for_a_set_is_refused() -> None:
    with pytest.raises(ValueError, match="no set"):
        MissSketch(SET - 1)


@pytest.mark.parametrize("exponent", [0.9, 1.0, 1.1, 1.3])
def test_the_most_missed_of_a_zipf_stream_are_found_whatever_passes_by(exponent: float) -> None:
    rng = np.random.default_rng(0)
    universe = 200_000
    share = np.arange(1, universe + 1) ** -exponent
    names = rng.permutation(np.arange(1, universe + 1)) * 7919
    stream = names[rng.choice(universe, 400_000, p=share / share.sum())]
    sketch = MissSketch(8_000 * 16)
    for part in np.array_split(stream, 2000):
        sketch.add(*np.unique(part, return_counts=True))
    keys, counts = np.unique(stream, return_counts=True)
    top = keys[np.argsort(-counts)][:400]
    assert np.isin(top, sketch.held().keys[:400]).mean() >= 0.97


def test_what_is_held_comes_most_missed_first() -> None:
    sketch = MissSketch()
    _add(sketch, {5: 1, 6: 9, 7: 3, 8: 3})
    assert sketch.held().keys.tolist() == [6, 7, 8, 5]
    assert sketch.held().least.tolist() == [9, 3, 3, 1]


@settings(max_examples=100, deadline=None)
@given(batches, st.sets(st.integers(1, 60)), batches)
def test_what_was_removed_starts_anew_and_the_others_bounds_hold(
    before: list[dict[int, int]], gone: set[int], after: list[dict[int, int]]
) -> None:
    sketch = MissSketch(SET)
    truth: Counter[int] = Counter()
    for batch in before:
        _add(sketch, batch)
        truth.update(batch)
    bounds = _bounds(sketch)
    removed = sketch.remove(np.array(sorted(gone), dtype=np.int64)).tolist()
    assert removed == [bounds.get(key, (0, 0))[0] for key in sorted(gone)]
    assert not gone & set(_bounds(sketch))
    for key in gone:
        del truth[key]
    for batch in after:
        _add(sketch, batch)
        truth.update(batch)
    for key, found in zip(range(1, 61), _estimates(sketch, list(range(1, 61))), strict=True):
        assert truth[key] <= found


@settings(max_examples=60, deadline=None)
@given(batches, batches)
def test_a_restored_sketch_knows_and_does_what_the_other_would(
    before: list[dict[int, int]], after: list[dict[int, int]]
) -> None:
    sketch, other = MissSketch(2 * SET), MissSketch(2 * SET)
    for batch in before:
        _add(sketch, batch)
    other.restore(sketch.held(), sketch.seen)
    for one in (sketch, other):
        keys = list(range(1, 61))
        assert _estimates(one, keys) == _estimates(sketch, keys)
        assert _bounds(one) == _bounds(sketch)
    truth: Counter[int] = Counter()
    for batch in [*before, *after]:
        truth.update(batch)
    for batch in after:
        _add(other, batch)
    for key, (least, most) in _bounds(other).items():
        assert least <= truth[key] <= most
    assert other.seen == truth.total()


def test_a_smaller_sketch_takes_up_the_most_missed_alone() -> None:
    sketch, small = MissSketch(40 * SET), MissSketch(SET)
    _add(sketch, {key: key for key in range(1, 101)})
    small.restore(sketch.held(), sketch.seen)
    assert sorted(_bounds(small)) == list(range(93, 101))
    assert _estimates(small, [7, 92, 100]) == [92, 92, 100]


def test_counts_near_the_end_of_their_range_decay_instead_of_wrapping() -> None:
    sketch = MissSketch()
    for _ in range(40):
        _add(sketch, {1: 1 << 30, 2: 1 << 20})
        assert sketch.seen <= 1 << 31
    assert _bounds(sketch) == {1: (1 << 30, 1 << 30), 2: (1 << 20, 1 << 20)}


def test_threads_that_count_at_once_lose_nothing() -> None:
    sketch = MissSketch()
    keys = np.arange(1, 201, dtype=np.int64)

    def count() -> None:
        for _ in range(50):
            sketch.add(keys, np.ones(200, dtype=np.int64))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = sketch.held()
    assert held.least.tolist() == [200] * 200
    assert sketch.seen == 200 * 200
