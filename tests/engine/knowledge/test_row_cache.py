from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.knowledge.row_cache import WAYS, RowCache

WIDTH = 4
SET = (3 * WIDTH * 2 + 9) * WAYS + 1


def _rows(keys: np.ndarray) -> np.ndarray:
    """A row that tells which key it belongs to."""
    return np.repeat((keys % 2000).astype(np.float16), 3 * WIDTH).reshape(-1, 3, WIDTH)


def _ask(cache: RowCache, keys: list[int]) -> dict[int, bool]:
    wanted = np.array(keys, dtype=np.int64)
    out = np.full((len(keys), 3, WIDTH), -1, dtype=np.float16)
    found = cache.take(wanted, out)
    assert np.array_equal(out[found], _rows(wanted[found]))
    assert (out[~found] == -1).all()
    return dict(zip(keys, found.tolist(), strict=True))


def _offer(cache: RowCache, keys: list[int]) -> None:
    array = np.array(keys, dtype=np.int64)
    cache.admit(array, _rows(array))


@settings(deadline=None)
@given(
    st.integers(1, 6),
    st.lists(st.lists(st.integers(0, 400), max_size=40, unique=True), max_size=20),
)
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


def test_what_is_asked_again_outlives_what_came_once() -> None:
    cache = RowCache(4 * SET, WIDTH)
    favourites = list(range(8))
    _offer(cache, favourites)
    for passing in range(100, 1100, 20):
        for key, hit in _ask(cache, favourites).items():
            assert hit, f"key {key} was thrown out before {passing}"
        _offer(cache, list(range(passing, passing + 20)))


def test_yesterdays_favourites_give_way() -> None:
    cache = RowCache(SET, WIDTH)
    old = list(range(WAYS))
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
