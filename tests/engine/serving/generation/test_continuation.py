from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput
from engine.serving.generation.continuation import Continuation, Ending, Piece
from engine.serving.generation.detokenize import TokenBytes

PARTS = (b"a", b"b", b"ab", b"\xc3", b"\xa9", "é".encode(), b" ", b"", b"<end>")
TOKENS = TokenBytes(PARTS)
END = len(PARTS) - 1
ids_of = st.lists(st.integers(0, END), min_size=1, max_size=24)
stops_of = st.lists(st.text(alphabet="abé \ufffd", min_size=1, max_size=3), max_size=3)


def grow(ids: list[int], ending: Ending) -> tuple[str, Continuation]:
    growing, text = Continuation(ending, TOKENS), ""
    for token in ids:
        piece = growing.push(token)
        text += piece.text
        assert piece.finish == growing.finish
        if piece.finish:
            break
    return text, growing


@settings(deadline=None)
@given(ids_of, stops_of, st.integers(1, 24), st.integers(1, 24))
def test_the_text_is_that_of_its_tokens_up_to_whatever_ends_it(
    ids: list[int], stops: list[str], most: int, room: int
) -> None:
    text, growing = grow(ids, Ending(most, room, tuple(stops), END))
    said = growing.said
    whole = TOKENS.text(token for token in said if token != END)
    if growing.finish is None:
        assert said == ids
        assert whole.startswith(text)
        return
    assert not any(stop in text for stop in stops)
    if any(stop in whole for stop in stops):
        assert growing.finish == "stop"
        assert any(whole.startswith(text + stop) for stop in stops)
    else:
        assert text == whole
        assert growing.finish == ("stop" if said[-1] == END else "length")
        assert said[-1] == END or len(said) == min(most, room)


@settings(deadline=None)
@given(ids_of, st.integers(1, 24))
def test_no_text_has_more_tokens_than_it_may(ids: list[int], most: int) -> None:
    _, growing = grow(ids, Ending(most, 10))
    assert len(growing.said) <= min(most, 10)


def test_the_token_that_ends_a_text_is_counted_and_not_shown() -> None:
    growing = Continuation(Ending(9, 9, end=END), TOKENS)
    assert growing.push(0) == Piece("a")
    assert growing.push(END) == Piece("", "stop")
    assert growing.said == [0, END]


def test_what_was_held_back_is_shown_when_the_length_ends_it() -> None:
    growing = Continuation(Ending(2, 9, ("bb",)), TOKENS)
    assert growing.push(0) == Piece("a")
    assert growing.push(1) == Piece("b", "length")


def test_a_character_cut_short_by_the_length_is_said_to_be() -> None:
    assert grow([0, 3], Ending(2, 9))[0] == "a\ufffd"


def test_an_ended_sequence_takes_no_more() -> None:
    growing = Continuation(Ending(1, 9), TOKENS)
    growing.push(0)
    with pytest.raises(RuntimeError, match="ended"):
        growing.push(0)


@pytest.mark.parametrize(
    ("most", "stops", "said"),
    [
        (0, (), "max_tokens is 0"),
        (1, ("a", ""), "empty"),
        (1, ("a" * 257,), "257 characters"),
        (1, tuple("abcdefghijklmnopq"), "17 stop strings"),
    ],
)
def test_endings_that_make_no_sense_are_refused(
    most: int, stops: tuple[str, ...], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as error:
        Ending(most, 9, stops)
    assert error.value.remedy
