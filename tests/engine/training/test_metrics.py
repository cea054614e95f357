from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.model.backbone import Backbone
from engine.model.tagging import Span
from engine.training.tasks.multilabel import Multilabel
from engine.training.tasks.regression import Regression, ranks, spearman
from engine.training.tasks.tokens import Tokens


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    assert ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [2.5, 0.0, 2.5, 1.0]


def test_spearman_sees_order_alone() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert spearman(x, np.exp(x)) == pytest.approx(1)
    assert spearman(x, -(x**3)) == pytest.approx(-1)
    assert spearman(x, np.ones(4)) == 0
    # By the textbook's formula, 1 - 6 * sum(d^2) / (n * (n^2 - 1)).
    assert spearman(x, np.array([2.0, 1.0, 4.0, 3.0])) == pytest.approx(1 - 6 * 4 / 60)


def test_several_labels_are_counted_together_and_each_by_itself() -> None:
    rows = [("a", ("x",)), ("b", ("x", "y")), ("c", ()), ("d", ("z",))]
    task = Multilabel(("x", "y", "z", "never"), rows)
    yes, no = 2.0, -2.0
    logits = torch.tensor(
        [[yes, no, no, no], [yes, no, no, no], [no, yes, no, no], [no, no, yes, no]]
    )
    score = task.score(logits, [0, 1, 2, 3])
    assert score.value == score.measures["micro_f1"] == pytest.approx(6 / 8)
    assert score.measures["macro_f1"] == pytest.approx((1 + 0 + 1) / 3)
    assert score.measures["all_labels_right"] == 0.5


def test_numbers_are_scored_in_their_own_units() -> None:
    rows = [(str(i), (1000.0 * i,)) for i in range(5)]
    task = Regression(("price",), rows)
    assert task.scale.tolist()[0] == [2000.0]
    unit = task.scale[1].item()
    logits = torch.tensor([[(1000.0 * i + 10 - 2000.0) / unit] for i in range(5)])
    score = task.score(logits, list(range(5)))
    assert score.value == pytest.approx(1)
    assert score.measures["rmse"] == pytest.approx(10, abs=1e-2)
    assert float(task.loss(logits, list(range(5)))) == pytest.approx((10 / unit) ** 2, rel=1e-3)


def test_spans_count_only_whole_and_with_their_label(backbone: Backbone) -> None:
    spans: tuple[Span, ...] = ((0, 7, "thing"), (12, 16, "thing"))
    task = Tokens(("O", "B-thing", "I-thing"), [("my card was late", spans), ("dull", ())])
    task.read(backbone)
    wanted = [1, 2, 0, 1, 0]
    logits = torch.eye(3)[wanted]
    assert task.score(logits, [0, 1]).value == 1
    assert float(task.loss(20 * logits, [0, 1])) == pytest.approx(0, abs=1e-6)
    cut_short = torch.eye(3)[[1, 0, 0, 1, 1]]
    score = task.score(cut_short, [0, 1])
    assert score.value == pytest.approx(2 * 1 / (3 + 2))
    assert score.measures["precision"] == pytest.approx(1 / 3)
    assert score.measures["recall"] == pytest.approx(1 / 2)
    assert score.measures["word_accuracy"] == pytest.approx(3 / 5)
