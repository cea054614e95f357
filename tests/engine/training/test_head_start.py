"""The head that a training begins with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.errors import Cancelled
from engine.knowledge.retrieve import Knowledge
from engine.model.backbone import Backbone
from engine.training.group import Group, evaluate
from engine.training.head_start import fitted, head_start
from engine.training.tasks.headed import Headed
from engine.training.tasks.multilabel import Multilabel
from engine.training.tasks.regression import Regression
from tests.engine.training.small_task import finish, learner, same, start


def test_a_fresh_head_gives_way_to_one_that_knows_the_rows_before_any_step(
    backbone: Backbone, knowledge: Knowledge
) -> None:
    one = learner(backbone, knowledge)
    fresh = start(backbone)
    begun = head_start(backbone, one, fresh)
    assert evaluate(backbone, one, begun).value > evaluate(backbone, one, fresh).value
    for name in ("down", "down_bias", "up", "up_bias"):
        assert torch.equal(getattr(begun, name), getattr(fresh, name))
    assert same(begun, head_start(backbone, one, fresh))


def test_a_head_that_has_learnt_its_rows_stays(backbone: Backbone, knowledge: Knowledge) -> None:
    one = learner(backbone, knowledge, epochs=30)
    finish(Group(backbone, [one], [start(backbone)]), [one])
    learnt = one.outcome()
    again = learner(backbone, knowledge)
    assert head_start(backbone, again, learnt) is learnt


def test_it_can_be_cancelled(backbone: Backbone, knowledge: Knowledge) -> None:
    one = learner(backbone, knowledge)

    def cancelled() -> None:
        raise Cancelled("now")

    one.check = cancelled
    with pytest.raises(Cancelled):
        head_start(backbone, one, start(backbone))


def mean_loss(task: Headed, states: Tensor, rows: list[int]) -> float:
    head, bias = fitted(task, states, rows)
    return float(task.loss(states @ head.T + bias, rows))


def test_numbers_and_several_labels_are_fitted_by_their_own_loss() -> None:
    states = torch.randn(64, 8, generator=torch.Generator().manual_seed(0)) * 3 + 1
    first = states[:, 0].tolist()
    rows = list(range(64))
    numbers = Regression(("much",), [("a", (value,)) for value in first])
    labels = Multilabel(("high",), [("a", ("high",) if value > 1 else ()) for value in first])
    for task, by_chance in ((numbers, 1.0), (labels, math.log(2))):
        assert mean_loss(task, states, rows) < 0.9 * by_chance
        # Without what the targets follow from there is little to find.
        assert mean_loss(task, states[:, 1:], rows) > 0.9 * by_chance
