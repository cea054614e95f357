from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.model.ngrams import (
    ABSENT,
    MAX_VOCABULARY,
    order,
    pack,
    shorten,
    shortened_keys,
    trigrams,
    unpack,
)

token = st.integers(0, MAX_VOCABULARY)
gram = st.one_of(
    st.tuples(token, token, token),
    st.tuples(st.just(ABSENT), token, token),
    st.tuples(st.just(ABSENT), token, st.just(ABSENT)),
)
grams = st.lists(gram, min_size=1, max_size=20).map(lambda g: np.array(g, dtype=np.int64))


@given(grams)
def test_keys_can_be_read_back(found: np.ndarray) -> None:
    assert np.array_equal(unpack(pack(found)), found)


@given(grams)
def test_different_ngrams_have_different_keys(found: np.ndarray) -> None:
    assert len(np.unique(pack(found))) == len(np.unique(found, axis=0))


@given(grams)
def test_a_key_knows_its_order(found: np.ndarray) -> None:
    assert np.array_equal(order(pack(found)), (found != ABSENT).sum(axis=1))


@given(grams)
def test_keys_are_shortened_as_ngrams_are(found: np.ndarray) -> None:
    assert np.array_equal(shortened_keys(pack(found)), pack(shorten(found)))


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=5))
def test_no_ngram_reaches_into_a_neighbouring_text(rows: list[list[int]]) -> None:
    boundary = 99
    ids = np.array([t for row in rows for t in row], dtype=np.int64)
    found = trigrams(ids, np.array([len(row) for row in rows]), boundary)
    expected = []
    for row in rows:
        padded = [boundary, *row, boundary]
        expected += [padded[i : i + 3] for i in range(len(row))]
    assert found.tolist() == expected


def test_a_boundary_is_not_an_absent_slot() -> None:
    edge = np.array([[7, 1, 2]], dtype=np.int64)
    bigram = np.array([[ABSENT, 1, 2]], dtype=np.int64)
    assert pack(edge)[0] != pack(bigram)[0]
