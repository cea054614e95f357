from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.popularity import picks, shares
from engine.size.residency import Popularity, hit_share

POPULARITIES: st.SearchStrategy[Popularity] = st.sampled_from(["uniform", "zipf"])
NOISE = 1e-3
"""Zipf's far ranks are counted in groups."""


@given(st.integers(1, 10**6), st.integers(0, 10**6), POPULARITIES, st.floats(0, 3))
def test_a_share_is_a_share(count: int, places: int, popularity: Popularity, s: float) -> None:
    assert 0 <= hit_share(count, places, popularity, s) <= 1 + 1e-9


@given(st.integers(1, 10**5), st.integers(0, 10**4), POPULARITIES, st.floats(0, 2))
def test_more_places_never_find_less(
    count: int, places: int, popularity: Popularity, s: float
) -> None:
    some, more = (hit_share(count, n, popularity, s) for n in (places, places + 100))
    assert more >= some - NOISE


@given(st.integers(1, 10**5), st.integers(1, 10**4), POPULARITIES, st.floats(0, 2))
def test_more_adapters_are_never_found_more_often(
    count: int, places: int, popularity: Popularity, s: float
) -> None:
    few, many = (hit_share(n, places, popularity, s) for n in (count, 2 * count))
    assert many <= few + NOISE


@pytest.mark.parametrize(("popularity", "s"), [("uniform", 1.0), ("zipf", 0.8), ("zipf", 1.1)])
def test_the_approximation_is_that_of_a_cache_that_forgets_the_longest_unused(
    popularity: Popularity, s: float
) -> None:
    count, places, asked = 2000, 200, 40_000
    rng = np.random.default_rng(0)
    cache: OrderedDict[int, None] = OrderedDict()
    hits = 0
    stream = picks(shares(count, popularity, s, rng), rng)
    for number in range(2 * asked):
        one = next(stream)
        hits += one in cache and number >= asked
        cache[one] = None
        cache.move_to_end(one)
        if len(cache) > places:
            cache.popitem(last=False)
    assert hit_share(count, places, popularity, s) == pytest.approx(hits / asked, abs=0.015)
