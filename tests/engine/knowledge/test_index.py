from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.knowledge.index import MISS, HashIndex
from engine.model.ngrams import pack

key = st.integers(0, 2**62 - 1)
near = st.integers(0, 40)
"""Keys so close together that many wanted ones are there and many are not."""


def _index(held: list[int]) -> HashIndex:
    keys = np.array(held, dtype=np.int64)
    return HashIndex(keys, np.arange(len(held), dtype=np.int32))


def _same_home(count: int, entries: int) -> NDArray[np.int64]:
    """Distinct keys that an index of so many entries would all put in one place."""
    like = HashIndex(np.arange(entries, dtype=np.int64), np.arange(entries, dtype=np.int32))
    keys = np.arange(400_000, dtype=np.int64) * 7919
    homes = like._home(keys)
    same: NDArray[np.int64] = keys[homes == homes[0]][:count]
    return same


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.one_of(key, near), unique=True, max_size=60),
    st.lists(st.one_of(key, near), max_size=60),
)
def test_an_index_answers_as_a_dictionary_does(held: list[int], asked: list[int]) -> None:
    truth = {k: row for row, k in enumerate(held)}
    wanted = [*asked, *held]
    found = _index(held).find(np.array(wanted, dtype=np.int64))
    assert found.tolist() == [truth.get(k, MISS) for k in wanted]


def test_an_index_of_many_ngrams_finds_each_and_no_other() -> None:
    rng = np.random.default_rng(0)
    keys = np.unique(pack(rng.integers(0, 30_000, (50_000, 3))))
    held, absent = keys[::2], keys[1::2]
    rows = rng.permutation(len(held)).astype(np.int32)
    index = HashIndex(held, rows)
    assert np.array_equal(index.find(held), rows)
    assert (index.find(absent) == MISS).all()


@pytest.mark.parametrize("entries", [1_000, 100_000])
def test_an_entry_costs_at_most_24_bytes(entries: int) -> None:
    rng = np.random.default_rng(1)
    grams = np.unique(rng.integers(0, 500, (entries * 2, 3)), axis=0)[:entries]
    index = HashIndex(pack(grams), np.arange(entries, dtype=np.int32))
    assert index.entries == entries
    assert index.nbytes <= 24 * entries


def test_keys_that_all_want_one_place_are_found_and_their_absent_kin_are_not() -> None:
    keys = _same_home(50, entries=25)
    held, absent = keys[::2], keys[1::2]
    assert len(held) == len(absent) == 25
    index = HashIndex(held, np.arange(25, dtype=np.int32))
    assert index.find(held).tolist() == list(range(25))
    assert (index.find(absent) == MISS).all()


def test_a_run_that_starts_in_the_last_place_stays_inside_the_index() -> None:
    entries = 30
    like = _index(list(range(entries)))
    keys = np.arange(400_000, dtype=np.int64) * 104_729
    last = keys[like._home(keys) == int(like._capacity) - 1][: 2 * entries]
    assert len(last) == 2 * entries
    index = HashIndex(last[:entries], np.arange(entries, dtype=np.int32))
    assert index.find(last).tolist() == [*range(entries), *([MISS] * entries)]


def test_an_empty_index_has_nothing_and_can_be_asked_nothing() -> None:
    index = _index([])
    assert index.entries == 0
    assert index.find(np.array([0, 1, 2**61], dtype=np.int64)).tolist() == [MISS] * 3
    assert index.find(np.empty(0, np.int64)).shape == (0,)
    assert _index([5]).find(np.empty(0, np.int64)).shape == (0,)
