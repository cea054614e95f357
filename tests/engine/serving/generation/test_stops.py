"""Stop strings against a reference that looks at the whole text, one character after another."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.serving.generation.stops import StopSearch

texts_of = st.text(alphabet="abc", max_size=30)
stops_of = st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=4)
cuts_of = st.lists(st.integers(0, 30), max_size=12)


def obvious(text: str, stops: list[str]) -> tuple[str, bool]:
    for end in range(1, len(text) + 1):
        done = [stop for stop in stops if text[:end].endswith(stop)]
        if done:
            return text[: end - max(map(len, done))], True
    return text, False


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    return [text[a:b] for a, b in pairwise(places)]


@settings(deadline=None)
@given(texts_of, stops_of, cuts_of)
def test_the_text_ends_before_the_first_stop_wherever_it_was_cut(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    search = StopSearch(stops)
    shown = "".join(search.push(piece) for piece in pieces(text, cuts))
    wanted, stopped = obvious(text, stops)
    assert search.stopped == stopped
    assert shown + search.finish() == wanted


@settings(deadline=None)
@given(texts_of, stops_of, cuts_of)
def test_only_what_may_begin_a_stop_is_held_back(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    search, whole, shown = StopSearch(stops), "", ""
    for piece in pieces(text, cuts):
        whole += piece
        shown += search.push(piece)
        if search.stopped:
            return
        held = whole[len(shown) :]
        tails = [whole[at:] for at in range(len(whole))]
        possible = [tail for tail in tails if any(stop.startswith(tail) for stop in stops)]
        assert held == max(possible, key=len, default="")


def test_a_stop_across_three_pieces_leaves_nothing_of_itself() -> None:
    search = StopSearch(["\n\nUser:"])
    assert [search.push(piece) for piece in ("Yes.\n", "\nUs", "er: more")] == ["Yes.", "", ""]
    assert search.stopped
    assert search.push("even more") == ""
    assert search.finish() == ""


def test_a_false_beginning_is_shown_as_soon_as_it_is_known_to_be_one() -> None:
    search = StopSearch(["###"])
    assert [search.push(piece) for piece in ("a#", "#", "b##")] == ["a", "", "##b"]
    assert search.finish() == "##"


def test_without_stops_everything_passes_at_once() -> None:
    search = StopSearch(())
    assert search.push("anything") == "anything"
    assert search.finish() == ""
