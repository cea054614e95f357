from __future__ import annotations

import gzip
import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput, NotFound
from engine.training.pretrain.corpus import Ids, batches, held_apart, passages, read_corpus
from engine.training.pretrain.vocabulary import END, learn_vocabulary, rows_of
from tests.engine.training.pretrain.conftest import a_text


@settings(deadline=None)
@given(st.text(alphabet="ab\n", max_size=200), st.integers(1, 30))
def test_passages_are_whole_lines_that_give_the_text_again(text: str, size: int) -> None:
    found = passages(text, size)
    assert "".join(found) == text
    assert all(one.endswith("\n") for one in found[:-1])
    assert all(found)


@settings(deadline=None)
@given(st.text(alphabet="ab\n", max_size=200), st.integers(1, 30))
def test_a_passage_goes_on_to_a_blank_line_unless_that_is_too_far(text: str, size: int) -> None:
    for one, after in pairwise(passages(text, size)):
        assert len(one) >= size
        assert after.startswith("\n") or len(one) >= 2 * size


def test_a_text_is_the_same_packed_or_not(tmp_path: Path) -> None:
    content = "Ein Brötchen.\n".encode()
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(content))
    plain, packed = read_corpus(tmp_path / "a.txt"), read_corpus(tmp_path / "a.txt.gz")
    assert plain == packed
    assert plain.sha256 == hashlib.sha256(content).hexdigest()
    assert plain.bytes == len(content)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.txt", b"\xff\xfe", "not_utf8"),
        ("a.txt", b" \n", "no_text"),
        ("a.txt.gz", b"plain", "bad_gzip"),
        ("a.txt.gz", gzip.compress(b"x" * 999)[:-9], "bad_gzip"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_corpus(tmp_path / name)
    assert error.value.code == code
    assert error.value.remedy


def test_a_text_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nowhere\.txt"):
        read_corpus(tmp_path / "nowhere.txt")


def test_a_fiftieth_is_held_out_and_the_rest_is_learnt() -> None:
    rows = [np.array([i]) for i in range(120)]
    learnt, held_out = held_apart(rows)
    assert [int(row[0]) for row in held_out] == [0, 50, 100]
    assert sorted(int(row[0]) for row in [*learnt, *held_out]) == list(range(120))
    with pytest.raises(BadInput, match="at least 51"):
        held_apart(rows[:50])


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5))
def test_windows_follow_the_passages_and_none_is_seen_twice(seed: int, turn: int) -> None:
    # Token p * 100 + i is the i-th of passage p: what follows what can be read off.
    rows = [np.arange(p * 100, p * 100 + 60) for p in range(30)]
    found = np.concatenate(list(batches(rows, 8, 4, seed, turn)))
    assert found.shape[1] == 9
    for window in found:
        for now, after in pairwise(window):
            assert after == now + 1 or (now % 100 == 59 and after % 100 == 0)
    seen = found[:, :-1].flatten()
    assert len(set(seen.tolist())) == len(seen)
    assert len(seen) > 30 * 60 - 8 - 8 - 4 * 8


def test_each_pass_is_another_and_the_same_again_by_its_number(rows: list[Ids]) -> None:
    first, again, second = (next(batches(rows, 16, 4, 7, turn)) for turn in (0, 0, 1))
    assert (first == again).all()
    assert (first != second).any()


def test_a_text_shorter_than_a_batch_is_refused() -> None:
    with pytest.raises(BadInput, match="--batch-tokens"):
        next(batches([np.arange(40)], 16, 4, 0, 0))


VOCABULARY = learn_vocabulary([a_text(200)], 300)


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_every_text_comes_back_from_its_tokens(text: str) -> None:
    (row,) = rows_of(VOCABULARY, [text])
    assert row[0] == VOCABULARY.token_to_id(END) == 0
    assert VOCABULARY.decode(row[1:].tolist(), skip_special_tokens=False) == text


def test_frequent_words_become_one_token() -> None:
    assert VOCABULARY.get_vocab_size() == 300
    (row,) = rows_of(VOCABULARY, [" please"])
    assert len(row) == 2
