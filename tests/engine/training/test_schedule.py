from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.training.schedule import batches, set_rate, split


@given(st.lists(st.integers(0, 4), min_size=2, max_size=200), st.integers(0, 2**31))
def test_rows_are_either_trained_on_or_held_out(labels: list[int], seed: int) -> None:
    training, held_out = split(np.array(labels), seed)
    assert sorted(training + held_out) == list(range(len(labels)))
    assert held_out
    assert training


@given(st.lists(st.integers(2, 60), min_size=2, max_size=4), st.integers(0, 2**31))
def test_a_tenth_of_each_label_is_held_out(sizes: list[int], seed: int) -> None:
    targets = np.repeat(np.arange(len(sizes)), sizes)
    _, held_out = split(targets, seed)
    for label, size in enumerate(sizes):
        assert (targets[held_out] == label).sum() == max(1, round(0.1 * size))


def test_the_split_is_the_seeds() -> None:
    targets = np.arange(300) % 3
    assert split(targets, 1) == split(targets, 1)
    assert split(targets, 1) != split(targets, 2)


def test_a_label_of_one_row_is_trained_on() -> None:
    training, _ = split(np.array([0] * 20 + [1]), 0)
    assert 20 in training


def test_an_epoch_sees_each_row_once_in_batches_of_like_length() -> None:
    rows = list(range(5, 205))
    lengths = np.arange(205)
    got = batches(rows, lengths, 16, np.random.default_rng(0))
    assert sorted(i for batch in got for i in batch) == rows
    assert max(map(len, got)) == 16
    spreads = [max(batch) - min(batch) for batch in got]
    assert np.mean(spreads) < 100
    assert got != batches(rows, lengths, 16, np.random.default_rng(1))


def test_the_rate_rises_then_falls() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)

    def rate(share: float) -> float:
        set_rate(optimizer, 2.0, share)
        return float(optimizer.param_groups[0]["lr"])

    assert rate(0.0) == pytest.approx(0.04)
    assert rate(0.05) == pytest.approx(2.0)
    assert rate(0.525) == pytest.approx(1.0)
    assert rate(1.0) == pytest.approx(0.04)
    assert rate(0.02) < rate(0.04) < rate(0.05) > rate(0.5) > rate(0.9)
