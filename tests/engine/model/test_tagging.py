from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model.tagging import Stretch, Tagging

BIO = Tagging(("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
PLAIN = Tagging(("O", "PER", "LOC"))
PARTS = Tagging(("noun", "verb"))
OFFSETS = [(0, 2), (3, 5), (6, 8), (9, 11), (12, 14)]


def named(tagging: Tagging, labels: str) -> list[Stretch]:
    return tagging.stretches([tagging.labels.index(each) for each in labels.split()])


def test_bio_begins_and_continues_spans() -> None:
    assert named(BIO, "B-PER I-PER B-PER O B-LOC") == [
        Stretch(0, 1, "PER"),
        Stretch(2, 2, "PER"),
        Stretch(4, 4, "LOC"),
    ]


def test_an_inside_that_continues_nothing_begins_a_span() -> None:
    assert named(BIO, "I-PER I-LOC O I-LOC I-LOC") == [
        Stretch(0, 0, "PER"),
        Stretch(1, 1, "LOC"),
        Stretch(3, 4, "LOC"),
    ]


def test_plain_labels_merge_neighbours_where_there_is_an_outside() -> None:
    assert named(PLAIN, "PER PER LOC O PER") == [
        Stretch(0, 1, "PER"),
        Stretch(2, 2, "LOC"),
        Stretch(4, 4, "PER"),
    ]
    assert named(PARTS, "noun noun verb") == [
        Stretch(0, 0, "noun"),
        Stretch(1, 1, "noun"),
        Stretch(2, 2, "verb"),
    ]


def test_names_are_what_spans_may_be_called() -> None:
    assert BIO.names == PLAIN.names == {"PER", "LOC"}
    assert PARTS.names == {"noun", "verb"}


def test_a_span_that_cuts_a_word_takes_it_whole() -> None:
    tags = BIO.tags(OFFSETS, [(4, 7, "PER")])
    assert [BIO.labels[tag] for tag in tags] == ["O", "B-PER", "I-PER", "O", "O"]


def test_a_word_without_a_label_is_told_apart_where_there_is_no_outside() -> None:
    assert PARTS.tags(OFFSETS, [(0, 2, "noun"), (6, 8, "verb")]) == [0, -1, 1, -1, -1]


@pytest.mark.parametrize("tagging", [BIO, PLAIN])
@given(data=st.data())
def test_spans_become_tags_and_the_same_spans_again(tagging: Tagging, data: st.DataObject) -> None:
    tags = data.draw(st.lists(st.integers(0, len(tagging.labels) - 1), min_size=5, max_size=5))
    found = tagging.stretches(tags)
    spans = [(OFFSETS[s.first][0], OFFSETS[s.last][1], s.name) for s in found]
    assert tagging.stretches(tagging.tags(OFFSETS, spans)) == found
