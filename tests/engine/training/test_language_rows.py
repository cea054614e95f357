from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.training.examples import TextExample
from engine.training.language_rows import foretold, held_out, language_rows, packs

END = 0
words = st.text(alphabet="abcdefgh", max_size=40)
examples_of = st.lists(st.builds(TextExample, words, words.filter(bool)), min_size=1, max_size=12)


def encode(texts: Sequence[str]) -> list[list[int]]:
    """A token a letter."""
    return [[ord(letter) for letter in text] for text in texts]


def text_of(ids: Sequence[int]) -> str:
    return "".join(chr(token) for token in ids)


@settings(deadline=None)
@given(examples_of, st.integers(4, 30))
def test_every_token_of_a_completion_is_learnt_once_and_none_of_a_prompt(
    examples: list[TextExample], context: int
) -> None:
    rows = language_rows(examples, encode, END, context)
    assert all(len(row) <= context for row in rows)
    assert not any(row.learnt[0] for row in rows)
    for number, one in enumerate(examples):
        mine = [row for row in rows if row.example == number]
        learnt = [token for row in mine for token in row.ids[row.learnt].tolist()]
        # Nothing comes before the first token of a text that could foretell it.
        first = 0 if one.prompt else 1
        assert learnt == [*map(ord, one.completion), END][first:]


@settings(deadline=None)
@given(words, words.filter(bool), st.integers(4, 30))
def test_what_comes_before_is_the_end_of_the_prompt_or_of_the_text_before(
    prompt: str, completion: str, context: int
) -> None:
    told = ""
    for row in language_rows([TextExample(prompt, completion)], encode, END, context):
        before = text_of(row.ids[~row.learnt].tolist())
        if prompt:
            assert prompt.endswith(before)
            whole = len(prompt) + len(completion) + 1 <= context
            assert before == prompt if whole else 0 < len(before) <= context // 2
        else:
            assert before == (told[-1] if told else completion[0])
            told += text_of(row.ids.tolist())


def test_a_row_begins_as_what_is_asked_begins() -> None:
    """The generator puts nothing before a prompt: what learnt otherwise would go on wrongly."""
    [row] = language_rows([TextExample("", "abc")], encode, END, 8)
    assert text_of(row.ids.tolist()) == "abc\0"
    [row] = language_rows([TextExample("ab", "c")], encode, END, 8)
    assert text_of(row.ids.tolist()) == "abc\0"


def test_a_long_text_goes_on_in_the_next_row() -> None:
    rows = language_rows([TextExample("", "abcdefgh")], encode, END, 5)
    assert [text_of(row.ids.tolist()) for row in rows] == ["abcde", "efgh\0"]


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(0, 9))
def test_packing_loses_nothing_and_overfills_nothing(sizes: list[int], seed: int) -> None:
    found = packs(sizes, 30, np.random.default_rng(seed))
    filled = sorted(sum(sizes[i] for i in pack) for pack in found)
    assert filled[-1] <= 30
    assert Counter(i for pack in found for i in pack) == Counter(range(len(sizes)))
    # No two packs would fit into one.
    assert len(filled) < 2 or filled[0] + filled[1] > 30
    assert len(found) == len(packs(sizes, 30, np.random.default_rng(seed + 1)))


@settings(deadline=None)
@given(examples_of, st.integers(4, 30))
def test_each_place_foretells_the_token_behind_it_in_its_own_row(
    examples: list[TextExample], context: int
) -> None:
    rows = language_rows(examples, encode, END, context)
    places, tokens = foretold(rows)
    ids = np.concatenate([row.ids for row in rows])
    starts = np.cumsum([0, *(len(row) for row in rows[:-1])])
    assert not set(places + 1) & set(starts.tolist())
    assert ids[places + 1].tolist() == tokens.tolist()
    assert len(places) == sum(int(row.learnt.sum()) for row in rows)


def test_each_pass_packs_in_another_order_and_the_same_again_by_its_seed() -> None:
    def order(seed: int) -> list[int]:
        return [i for pack in packs([5] * 40, 10, np.random.default_rng(seed)) for i in pack]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_short_rows_fill_nearly_every_place() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 60, 3000).tolist()
    assert sum(sizes) / (128 * len(packs(sizes, 128, rng))) > 0.99


@settings(deadline=None)
@given(st.integers(2, 500), st.integers(0, 9))
def test_a_tenth_is_held_out_and_nothing_is_lost(count: int, seed: int) -> None:
    learnt, held = held_out(count, seed)
    assert sorted([*learnt, *held]) == list(range(count))
    assert len(held) == max(1, round(0.1 * count))
    assert (learnt, held) == held_out(count, seed)


def test_what_leaves_no_room_is_refused() -> None:
    with pytest.raises(BadInput, match="no room"):
        language_rows([TextExample("", "a")], encode, END, 3)
    with pytest.raises(BadInput, match="one example"):
        held_out(1, 0)
    with pytest.raises(BadInput, match="9 tokens, a pack 8"):
        packs([9], 8, np.random.default_rng(0))
