from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.knowledge.index import ENTRY_BYTES, MISS, HashIndex
from engine.model.ngrams import pack

key = st.integers(0, 2**62 - 1)
near = st.integers(0, 40)
"""Keys so close together that many wanted ones are there and many are not."""


def _index(held: list[int]) -> HashIndex:
    keys = np.array(held, dtype=np.int64)
    return HashIndex(keys, np.arange(len(held), dtype=np.int32))


def _same_bucket(count: int, entries: int) -> NDArray[np.int64]:
    """Distinct keys that an index of so many entries first tries to put in one bucket."""
    like = _index(list(range(entries)))
    keys = np.arange(400_000, dtype=np.int64) * 7919
    buckets, _ = like._hash(keys)
    same: NDArray[np.int64] = keys[buckets == buckets[0]][:count]
    return same


def _some_tokens(count: int) -> NDArray[np.int64]:
    """Every trigram of the first `count` token ids."""
    ids = np.arange(count)
    return pack(np.stack(np.meshgrid(ids, ids, ids), axis=-1).reshape(-1, 3))


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


def test_keys_that_all_want_one_bucket_are_found_and_their_absent_kin_are_not() -> None:
    keys = _same_bucket(120, entries=60)
    held, absent = keys[::2], keys[1::2]
    assert len(held) == len(absent) == 60
    index = HashIndex(held, np.arange(60, dtype=np.int32))
    assert index.find(held).tolist() == list(range(60))
    assert (index.find(absent) == MISS).all()


@pytest.mark.parametrize("entries", [1, 2, 3, 7, 1_000, 4_096, 100_000])
@pytest.mark.parametrize(
    "clustered",
    [
        pytest.param(lambda n: np.arange(n), id="runs"),
        pytest.param(lambda n: np.arange(n) << 42, id="high bits"),
        pytest.param(lambda n: np.arange(n) << 20, id="middle bits"),
        pytest.param(lambda n: np.arange(n) * 977, id="steps"),
        pytest.param(lambda n: 2**62 - 1 - np.arange(n), id="the largest"),
        pytest.param(lambda n: _some_tokens(round(n ** (1 / 3)) + 1), id="few tokens"),
    ],
)
def test_clustered_keys_are_found_and_their_neighbours_are_not(
    clustered: Callable[[int], NDArray[np.int64]], entries: int
) -> None:
    held = clustered(entries)
    rows = np.arange(len(held), dtype=np.int32)
    index = HashIndex(held, rows)
    assert np.array_equal(index.find(held), rows)
    assert index.nbytes <= ENTRY_BYTES * len(held) + 32
    near = np.concatenate([held ^ 1, held ^ (1 << 41), held ^ (1 << 61)])
    truth = dict(zip(held.tolist(), range(len(held)), strict=True))
    assert index.find(near).tolist() == [truth.get(k, MISS) for k in near.tolist()]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**62 - 1),
    st.sets(st.integers(0, 61), max_size=7),
)
def test_keys_that_differ_in_few_bits_are_told_apart(base: int, bits: set[int]) -> None:
    keys = [base]
    for bit in bits:
        keys += [key ^ (1 << bit) for key in keys]
    held, absent = keys[::2], keys[1::2]
    index = _index(held)
    assert index.find(np.array(held)).tolist() == list(range(len(held)))
    assert index.find(np.array(absent, dtype=np.int64)).tolist() == [MISS] * len(absent)


@pytest.mark.parametrize("asked", [1, 4_095, 4_096, 4_097, 20_000])
def test_a_question_of_any_length_with_repeats_is_answered_key_by_key(asked: int) -> None:
    rng = np.random.default_rng(2)
    held = rng.permutation(1_000)[:500] * 31
    truth = dict(zip(held.tolist(), range(500), strict=True))
    keys = rng.integers(0, 1_000, asked) * 31
    found = _index(held.tolist()).find(keys)
    assert found.dtype == np.int32
    assert found.tolist() == [truth.get(k, MISS) for k in keys.tolist()]


def test_an_index_can_be_asked_a_strided_or_read_only_array() -> None:
    keys = np.arange(0, 300, 3, dtype=np.int64)
    keys.setflags(write=False)
    assert _index(list(range(0, 300, 6))).find(keys[::2]).tolist() == list(range(50))


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        _index([7, 9, 7])


def test_the_same_keys_make_the_same_index() -> None:
    keys = np.arange(5_000, dtype=np.int64) * 977
    one, other = (HashIndex(keys, np.arange(5_000, dtype=np.int32)) for _ in range(2))
    assert np.array_equal(one._slots, other._slots)


def test_threads_that_ask_one_index_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(3)
    keys = np.unique(rng.integers(0, 2**62, 20_000))
    index = HashIndex(keys, np.arange(len(keys), dtype=np.int32))
    questions = [rng.integers(0, len(keys), 10_000) for _ in range(16)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda rows: index.find(keys[rows]), questions))
    assert all(np.array_equal(a, q) for a, q in zip(answers, questions, strict=True))


def test_an_empty_index_has_nothing_and_can_be_asked_nothing() -> None:
    index = _index([])
    assert index.entries == 0
    assert index.find(np.array([0, 1, 2**61], dtype=np.int64)).tolist() == [MISS] * 3
    assert index.find(np.empty(0, np.int64)).shape == (0,)
    assert _index([5]).find(np.empty(0, np.int64)).shape == (0,)
