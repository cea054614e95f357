from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.knowledge.passages import groups, windows
from engine.model.backbone import Backbone

LONG = " ".join(["the", "good", "film", "was", "very", "dull", "and", "great"] * 5)


def test_long_lines_are_cut_into_windows_and_no_word_is_lost(backbone: Backbone) -> None:
    texts = ["", "good film", LONG]
    rows = windows(backbone, texts, 10)
    assert max(map(len, rows)) == 10
    assert {(row[0], row[-1]) for row in rows} == {tuple(backbone.tokenize([""])[0])}
    inside = [token for row in rows for token in row[1:-1]]
    assert inside == [token for ids in backbone.tokenize(texts) for token in ids[1:-1]]


@pytest.mark.parametrize("count", [0, 512, 513])
def test_any_number_of_lines_makes_windows(backbone: Backbone, count: int) -> None:
    assert len(windows(backbone, ["good film"] * count, 10)) == count


lengths = st.lists(st.integers(2, 40), max_size=60)


@given(lengths, st.integers(1, 100), st.integers(0, 9))
def test_a_pass_reads_every_row_once_in_batches_that_fit(
    lengths: list[int], tokens: int, seed: int
) -> None:
    which = [10 * i for i in range(len(lengths))]
    by_row = dict(zip(which, lengths, strict=True))
    all_lengths = [by_row.get(i, 0) for i in range(10 * len(lengths))]
    batches = list(groups(which, all_lengths, tokens, np.random.default_rng(seed)))
    assert sorted(row for batch in batches for row in batch) == which
    for batch in batches:
        assert len(batch) == 1 or sum(all_lengths[row] for row in batch) <= tokens


def test_neighbours_in_length_are_batched_together_in_an_order_that_the_seed_decides() -> None:
    lengths = [2 + i % 7 for i in range(140)]

    def order(seed: int) -> list[list[int]]:
        return list(groups(list(range(140)), lengths, 40, np.random.default_rng(seed)))

    assert order(1) == order(1) != order(2)
    spread = [max(lengths[i] for i in b) - min(lengths[i] for i in b) for b in order(1)]
    assert max(spread) <= 1
    first = [lengths[batch[0]] for batch in order(1)]
    assert first != sorted(first)
