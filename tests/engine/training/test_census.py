from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.training.census import Census, Counted
from engine.training.schedule import held_out_rows, split
from store.dataset_files import Text

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), max_size=30)


def none_long(_texts: Sequence[Text]) -> int:
    return 0


@PATIENT
@given(ROWS)
def test_repeated_and_contradicting_rows_are_counted(rows: list[tuple[str, str]]) -> None:
    census = Census(100, none_long)
    assert list(census.over(rows)) == rows
    labels_of = {text: {label for other, label in rows if other == text} for text, _ in rows}
    assert census.counted() == Counted(
        duplicates=len(rows) - len(set(rows)),
        conflicts=sum(len(labels_of[text]) > 1 for text, _ in rows),
        too_long=0,
    )


def test_only_texts_that_may_be_too_long_are_read() -> None:
    read: list[Text] = []

    def are_long(texts: Sequence[Text]) -> int:
        read.extend(texts)
        return sum(len(text) > 6 for text in texts)

    rows = [("a" * length, "x") for length in range(1, 10)] * 50
    census = Census(4, are_long)
    list(census.over(rows))
    assert census.counted().too_long == 3 * 50
    assert len(read) == 5 * 50
    assert min(map(len, read)) == 5


@PATIENT
@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), st.integers(0, 3))
def test_the_rows_held_out_are_as_many_as_stated(counts: list[int], seed: int) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    training, held_out = split(targets, seed)
    assert len(held_out) == held_out_rows(counts)
    assert sorted(training + held_out) == list(range(len(targets)))
    assert split(targets, seed) == (training, held_out)
    assert Counter(targets.tolist()) == {i: n for i, n in enumerate(counts) if n}


def test_pairs_count_as_one_text_and_lists_of_labels_as_one_label() -> None:
    pairs = [(("a", "b"), "x"), (("a", "b"), "y"), (("b", "a"), "x"), (("a", "b"), "x")]
    census = Census(2, lambda texts: len(texts))
    assert list(census.over(pairs)) == pairs
    # Two texts of a character and what stands between them are three.
    assert census.counted() == Counted(duplicates=1, conflicts=3, too_long=4)
    census = Census(100, none_long)
    list(census.over([("a", ("x", "y")), ("a", ("x",)), ("b", (1.5,)), ("b", (1.5,))]))
    assert census.counted() == Counted(duplicates=1, conflicts=2, too_long=0)
