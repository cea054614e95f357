from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from engine.serving.generation.detokenize import Detokenizer, TokenBytes


def a_tokenizer() -> Any:
    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["Grüße, 你好, naïve 🙂🙂 words and words\n"] * 9, trainer)
    tokenizer.add_tokens([AddedToken("<an added token>"), AddedToken("日本")])
    return tokenizer


TOKENIZER = a_tokenizer()
SIZE = TOKENIZER.get_vocab_size()
TOKENS = TokenBytes.read(TOKENIZER)


@settings(deadline=None)
@given(st.lists(st.integers(0, SIZE - 1), max_size=40))
def test_any_tokens_in_any_order_decode_as_the_tokenizer_decodes_them(ids: list[int]) -> None:
    assert TOKENS.text(ids) == TOKENIZER.decode(ids, skip_special_tokens=False)


@settings(deadline=None)
@given(st.lists(st.integers(0, SIZE - 1), max_size=40))
def test_pieces_are_the_whole_in_the_end(ids: list[int]) -> None:
    detokenizer = Detokenizer(TOKENS)
    pieces = [detokenizer.push(token) for token in ids]
    assert "".join(pieces) + detokenizer.finish() == TOKENS.text(ids)


@settings(deadline=None)
@given(st.text())
def test_no_piece_has_half_a_character(text: str) -> None:
    detokenizer = Detokenizer(TOKENS)
    shown = ""
    for token in TOKENIZER.encode(text).ids:
        shown += detokenizer.push(token)
        # A piece that showed a half would have left something here that is not in the text.
        assert text.startswith(shown)
    assert shown == text
    assert detokenizer.finish() == ""


def test_a_character_of_four_tokens_appears_with_the_last() -> None:
    ids = [TOKENS.of.index(bytes([byte])) for byte in "🙈".encode()]
    detokenizer = Detokenizer(TOKENS)
    assert [detokenizer.push(token) for token in ids] == ["", "", "", "🙈"]


def test_a_character_that_is_cut_short_is_shown_as_such_at_the_end() -> None:
    detokenizer = Detokenizer(TOKENS)
    detokenizer.push(TOKENS.of.index(b"\xf0"))
    assert detokenizer.finish() == "\ufffd"
    assert detokenizer.finish() == ""


def test_a_half_character_before_a_letter_does_not_swallow_it() -> None:
    detokenizer = Detokenizer(TOKENS)
    assert detokenizer.push(TOKENS.of.index(b"\xf0")) == ""
    assert detokenizer.push(TOKENS.of.index(b"a")) == "\ufffda"


@pytest.mark.parametrize("token", [SIZE, SIZE + 1000])
def test_a_token_that_the_tokenizer_lacks_has_no_text(token: int) -> None:
    """Checkpoints round their vocabulary up."""
    assert Detokenizer(TOKENS).push(token) == ""
