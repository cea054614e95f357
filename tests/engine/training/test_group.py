from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.knowledge.retrieve import Knowledge
from engine.model.backbone import Backbone
from engine.training.group import Group
from engine.training.tasks.classification import Classification
from tests.engine.training.small_task import LABELS, finish, learner, same, start

PLANS: tuple[dict[str, Any], ...] = (
    {"seed": 0},
    {"seed": 1, "optimizer": "sgd", "lr": 0.05, "schedule": "cosine"},
    {"seed": 2, "dropout": 0.3, "batch_size": 4},
    {"seed": 3, "epochs": 1, "rows": 60, "weight_decay": 0.1, "class_weights": "balanced"},
)


def test_learning_together_comes_to_what_learning_alone_does(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    alone = []
    for seed, plan in enumerate(PLANS):
        one = learner(backbone, knowledge, **plan)
        finish(Group(backbone, [one], [start(backbone, seed)]), [one])
        alone.append(one)
    many = [learner(backbone, knowledge, **plan) for plan in PLANS]
    group = Group(backbone, many, [start(backbone, seed) for seed in range(len(PLANS))])
    finish(group, many)
    for one, other in zip(alone, many, strict=True):
        assert [step for step, _ in one.report.loss] == [step for step, _ in other.report.loss]
        torch.testing.assert_close(
            [value for _, value in one.report.loss],
            [value for _, value in other.report.loss],
            rtol=0,
            atol=2e-4,
        )
        # The held-out values are shares of so few rows that rounding may not move one.
        assert one.report.accuracy == other.report.accuracy
        left, right = (each.outcome().tensors() for each in (one, other))
        for name, value in left.items():
            torch.testing.assert_close(value, right[name], rtol=0, atol=2e-3, msg=name)


def test_one_that_explodes_ends_alone(backbone: Backbone, knowledge: Knowledge) -> None:
    wild = learner(backbone, knowledge, optimizer="sgd", lr=1e38)
    tame = learner(backbone, knowledge)
    group = Group(backbone, [wild, tame], [start(backbone), start(backbone)])
    for _ in range(6):
        group.step([one for one in (wild, tame) if one not in group.failed])
    assert list(group.failed) == [wild]
    assert "at step" in group.failed[wild].detail
    assert tame.step == 6
    assert tame.running is not None
    assert tame.running < 2


def test_dropout_is_the_seeds_and_changes_what_is_learnt(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    ends = []
    for dropout in (0.4, 0.4, 0.0):
        one = learner(backbone, knowledge, dropout=dropout, epochs=1)
        finish(Group(backbone, [one], [start(backbone)]), [one])
        ends.append(one.outcome())
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_a_patient_run_ends_with_its_best_epoch(backbone: Backbone, knowledge: Knowledge) -> None:
    one = learner(backbone, knowledge, epochs=40, patience=2)
    finish(Group(backbone, [one], [start(backbone)]), [one])
    values = [value for _, value in one.report.accuracy]
    best = values.index(max(values))
    assert one.stopped_early
    assert len(values) == best + 3 < 40
    assert one.report.value == max(values)
    assert one.best is not None
    assert same(one.outcome(), one.best)
    assert f"stopped after epoch {len(values)}" in one.report.message


def test_balanced_weights_make_a_rare_label_count_as_much_as_a_common_one() -> None:
    rows = [("good film", "good")] * 54 + [("bad film", "bad")] * 6
    logits = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    both = [0, len(rows) - 1]
    losses = {
        way: float(Classification(LABELS, rows, way).loss(logits, both))
        for way in ("none", "sqrt", "balanced")
    }
    right, wrong = (float(-logits[0].log_softmax(0)[i]) for i in (1, 0))
    assert losses["none"] == pytest.approx((right + wrong) / 2)
    assert losses["sqrt"] == pytest.approx((right + 3 * wrong) / 4)
    assert losses["balanced"] == pytest.approx((right + 9 * wrong) / 10)
