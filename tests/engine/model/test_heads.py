from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.model.heads import HeadRows, apply_heads

HIDDEN, POOL = 8, 300


def _pool() -> HeadRows:
    generator = torch.Generator().manual_seed(5)
    return HeadRows(
        torch.randn(POOL, HIDDEN, generator=generator), torch.randn(POOL, generator=generator)
    )


HEADS = _pool()


def classify(
    pooled: torch.Tensor, heads: HeadRows, rows: list[NDArray[np.int64]]
) -> list[torch.Tensor]:
    """Each text's probabilities over its own labels."""
    return [t.softmax(0) for t in apply_heads(pooled, heads, rows)]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(st.integers(0, POOL - 1), min_size=2, max_size=40, unique=True),
        min_size=1,
        max_size=7,
    )
)
def test_heads_of_different_sizes_in_one_batch_equal_each_alone(sizes: list[list[int]]) -> None:
    rows = [np.array(r, dtype=np.int64) for r in sizes]
    pooled = torch.randn(len(rows), HIDDEN, generator=torch.Generator().manual_seed(len(rows)))
    together = classify(pooled, HEADS, rows)
    assert [len(p) for p in together] == [len(r) for r in rows]
    for text, mine, probs in zip(pooled, rows, together, strict=True):
        at = torch.from_numpy(mine)
        expected = (HEADS.weight[at] @ text + HEADS.bias[at]).softmax(0)
        assert torch.allclose(probs, expected, atol=1e-6)
        assert torch.equal(classify(text[None], HEADS, [mine])[0], probs)
        assert float(probs.sum()) == pytest.approx(1.0, abs=1e-5)


def test_two_texts_may_share_a_head_and_its_labels_keep_their_order() -> None:
    rows = np.array([9, 3, 200], dtype=np.int64)
    pooled = torch.randn(2, HIDDEN)
    first, second = classify(pooled, HEADS, [rows, rows])
    turned = classify(pooled, HEADS, [rows[::-1].copy(), rows])
    assert torch.allclose(turned[0].flip(0), first, atol=1e-6)
    assert torch.equal(turned[1], second)


def test_a_pool_row_of_nobody_in_the_batch_is_never_read() -> None:
    weight, bias = HEADS.weight.clone(), HEADS.bias.clone()
    weight[10:] = float("nan")
    bias[10:] = float("nan")
    rows = [np.arange(4, dtype=np.int64), np.arange(4, 10, dtype=np.int64)]
    pooled = torch.randn(2, HIDDEN)
    clean = classify(pooled, HEADS, rows)
    for one, other in zip(classify(pooled, HeadRows(weight, bias), rows), clean, strict=True):
        assert torch.equal(one, other)


def test_huge_scores_do_not_overflow() -> None:
    rows = [np.array([0, 1], dtype=np.int64)]
    heads = HeadRows(torch.tensor([[1e4] * HIDDEN, [-1e4] * HIDDEN]), torch.zeros(2))
    assert classify(torch.ones(1, HIDDEN), heads, rows)[0].tolist() == [1.0, 0.0]


def test_a_text_may_bring_a_vector_a_word_among_texts_of_one_and_of_none() -> None:
    rows = [np.array([3, 7]), np.array([250, 1, 40]), np.array([8, 9])]
    vectors = torch.randn(5, HIDDEN, generator=torch.Generator().manual_seed(2))
    one, words, none = apply_heads(vectors, HEADS, rows, [1, 4, 0])
    assert [len(t) for t in (one, words, none)] == [2, 4 * 3, 0]
    at = torch.from_numpy(rows[1])
    expected = vectors[1:] @ HEADS.weight[at].T + HEADS.bias[at]
    assert torch.allclose(words.view(4, 3), expected, atol=1e-5)
    assert torch.allclose(one, HEADS.weight[rows[0]] @ vectors[0] + HEADS.bias[rows[0]])
