from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.knowledge.row_cache import WAYS, RowCache
from engine.model.rows import row_bytes

WIDTH = 4
SET = (row_bytes(WIDTH) + 17) * WAYS + 1
keys = st.integers(1, 400)
"""A key says of what order it is: none is 0."""
batches = st.lists(st.lists(keys, max_size=40, unique=True), max_size=20)


def _rows(keys: NDArray[np.int64], owner: int = 0) -> NDArray[np.int8]:
    """A row that tells which key and owner it belongs to."""
    told = np.stack([keys % 128, keys // 128 % 128, np.full(len(keys), owner % 128)], axis=1)
    return np.resize(told.astype(np.int8).T, (row_bytes(WIDTH), len(keys))).T.copy()


def _ask(cache: RowCache, keys: list[int], owner: int = 0) -> dict[int, bool]:
    wanted = np.array(keys, dtype=np.int64)
    out = np.full((len(keys), row_bytes(WIDTH)), -1, dtype=np.int8)
    found = cache.share(owner).take(wanted, out)
    assert np.array_equal(out[found], _rows(wanted[found], owner))
    assert (out[~found] == -1).all()
    return dict(zip(keys, found.tolist(), strict=True))


def _offer(cache: RowCache, keys: list[int], owner: int = 0) -> None:
    array = np.array(keys, dtype=np.int64)
    cache.share(owner).admit(array, _rows(array, owner))


@settings(deadline=None)
@given(st.integers(1, 6), batches)
def test_it_never_answers_with_another_rows_numbers_and_never_outgrows_its_budget(
    sets: int, batches: list[list[int]]
) -> None:
    cache = RowCache(sets * SET, WIDTH)
    for batch in batches:
        found = _ask(cache, batch)
        _offer(cache, [key for key, hit in found.items() if not hit])
        use = cache.use()
        assert use.rows <= use.capacity == sets * WAYS
        assert use.bytes <= sets * SET


@settings(deadline=None)
@given(st.integers(1, 6), st.lists(st.tuples(st.sampled_from([0, 1, 300]), batches), max_size=6))
def test_two_encoders_never_see_each_others_rows(
    sets: int, turns: list[tuple[int, list[list[int]]]]
) -> None:
    cache = RowCache(sets * SET, WIDTH)
    offered: dict[int, set[int]] = {0: set(), 1: set(), 300: set()}
    for owner, asked in turns:
        for batch in asked:
            found = _ask(cache, batch, owner)
            assert {key for key, hit in found.items() if hit} <= offered[owner]
            _offer(cache, [key for key, hit in found.items() if not hit], owner)
            offered[owner] |= set(batch)
    held = [cache.hot(owner)[0].tolist() for owner in offered]
    assert sum(map(len, held)) == cache.use().rows
    for own, known in zip(held, offered.values(), strict=True):
        assert len(set(own)) == len(own)
        assert set(own) <= known


def test_one_ngram_of_two_encoders_is_held_twice() -> None:
    cache = RowCache(SET, WIDTH)
    for owner in (0, 1):
        _offer(cache, [7], owner)
    assert _ask(cache, [7], 0) == _ask(cache, [7], 1) == {7: True}
    assert _ask(cache, [7], 2) == {7: False}
    assert cache.use().rows == 2


def test_there_may_be_more_encoders_than_a_byte_counts() -> None:
    """An engine that lives long trains many; a number is never used twice."""
    cache = RowCache(SET, WIDTH)
    _offer(cache, [7], 5)
    _offer(cache, [7], 5 + 256)
    _offer(cache, [7], 5 + 65536)
    assert cache.use().rows == 3
    assert all(_ask(cache, [7], owner)[7] for owner in (5, 261, 65541))


def test_what_is_asked_again_outlives_what_came_once() -> None:
    cache = RowCache(4 * SET, WIDTH)
    favourites = list(range(1, 9))
    _offer(cache, favourites)
    for passing in range(100, 1100, 20):
        for key, hit in _ask(cache, favourites).items():
            assert hit, f"key {key} was thrown out before {passing}"
        _offer(cache, list(range(passing, passing + 20)))


def test_yesterdays_favourites_give_way() -> None:
    cache = RowCache(SET, WIDTH)
    old = list(range(1, 1 + WAYS))
    _offer(cache, old)
    for _ in range(50):
        _ask(cache, old)
    for _ in range(40):
        for key in range(100, 100 + WAYS):
            if not _ask(cache, [key])[key]:
                _offer(cache, [key])
    assert all(_ask(cache, list(range(100, 100 + WAYS))).values())


def test_a_row_offered_twice_is_held_once() -> None:
    cache = RowCache(SET, WIDTH)
    _offer(cache, [1, 2])
    _offer(cache, [1, 2])
    assert cache.use().rows == 2
    assert sorted(cache.hot()[0].tolist()) == [1, 2]


def test_without_a_budget_it_holds_nothing_and_says_so() -> None:
    cache = RowCache(0, WIDTH)
    _offer(cache, [1])
    assert _ask(cache, [1]) == {1: False}
    assert cache.use().capacity == 0
