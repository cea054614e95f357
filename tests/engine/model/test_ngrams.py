from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.model.ngrams import (
    ABSENT,
    MAX_VOCABULARY,
    causal_trigrams,
    in_text_order,
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


texts = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=6), min_size=1, max_size=5)


@given(texts)
def test_a_decoder_s_ngram_is_a_token_and_the_two_before_it(rows: list[list[int]]) -> None:
    ids = np.array([t for row in rows for t in row], dtype=np.int64)
    found = causal_trigrams(ids, np.array([len(row) for row in rows]), 99)
    expected = []
    for row in rows:
        padded = [99, 99, *row]
        expected += [padded[i : i + 3] for i in range(len(row))]
    assert in_text_order(found, causal=True).tolist() == expected


@given(texts, st.integers(0, 40))
def test_a_text_in_pieces_has_the_ngrams_of_the_whole(rows: list[list[int]], cut: int) -> None:
    for row in rows:
        whole = causal_trigrams(np.array(row), np.array([len(row)]), 99)
        at = cut % len(row)
        padded = [99, 99, *row]
        parts = [
            causal_trigrams(
                np.array(row[a:b]), np.array([b - a]), 99, np.array([padded[a : a + 2]])
            )
            for a, b in ((0, at), (at, len(row)))
            if b > a
        ]
        assert np.array_equal(np.concatenate(parts), whole)


@given(texts, st.integers(0, 40), st.integers(0, 50))
def test_no_slot_of_a_decoder_s_ngram_depends_on_a_later_token(
    rows: list[list[int]], at: int, other: int
) -> None:
    row = rows[0]
    at %= len(row)
    changed = [*row[:at], other, *row[at + 1 :]]
    before, after = (causal_trigrams(np.array(r), np.array([len(r)]), 99) for r in (row, changed))
    assert np.array_equal(before[:at], after[:at])


def test_the_start_of_a_text_is_no_shorter_ngram() -> None:
    start = causal_trigrams(np.array([7, 8]), np.array([2]), 99)
    shorter = np.array([[ABSENT, 7, ABSENT], [ABSENT, 8, 7], [ABSENT, 8, ABSENT]])
    assert not np.isin(pack(start), pack(shorter)).any()
    assert (order(pack(start)) == 3).all()


def test_backing_off_gives_up_the_farther_token_first() -> None:
    [gram] = causal_trigrams(np.array([1, 2, 3]), np.array([3]), 99)[2:]
    shorter = shorten(gram[None])
    assert in_text_order(shorter, causal=True).tolist() == [[ABSENT, 2, 3]]
    assert in_text_order(shorten(shorter), causal=True).tolist() == [[ABSENT, ABSENT, 3]]
