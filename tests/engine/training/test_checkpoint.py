from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.knowledge.retrieve import Knowledge
from engine.model.backbone import Backbone
from engine.training.checkpoint import Origin, resume, save_checkpoint, weights_of
from engine.training.group import Group
from engine.training.plan import OPTIMIZERS, TrainPlan
from tests.engine.training.small_task import finish, learner, same, start

RATES = {"sgd": 0.05, "adafactor": 0.05}


def origin_of(plan: TrainPlan) -> Origin:
    return Origin("rows", "start", plan)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_and_goes_on_after_any_step_with_the_same_bits(
    backbone: Backbone, knowledge: Knowledge, tmp_path: Path, optimizer: str
) -> None:
    choices: dict[str, Any] = {"optimizer": optimizer, "lr": RATES.get(optimizer, 1e-2)}
    choices |= {"dropout": 0.1, "patience": 3, "batch_size": 16}
    path = tmp_path / "checkpoint"
    whole = learner(backbone, knowledge, **choices)
    group = Group(backbone, [whole], [start(backbone)])
    finish(group, [whole], 3)
    save_checkpoint(whole, path, origin_of(whole.plan))
    finish(group, [whole])
    assert whole.report.loss[-1][1] < whole.report.loss[0][1]
    again = learner(backbone, knowledge, **choices)
    group = Group(backbone, [again], [start(backbone, seed=9)])
    assert resume(again, path, origin_of(again.plan))
    assert "after step 3" in again.report.message
    finish(group, [again])
    assert same(whole.outcome(), again.outcome())
    assert again.report.loss == whole.report.loss
    assert again.report.accuracy == whole.report.accuracy


def test_a_checkpoint_of_another_run_or_a_torn_one_is_removed(
    backbone: Backbone, knowledge: Knowledge, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint"
    one = learner(backbone, knowledge)
    group = Group(backbone, [one], [start(backbone)])
    assert not resume(one, path, origin_of(one.plan))
    finish(group, [one], 2)
    for spoil in ("plan", "bytes"):
        save_checkpoint(one, path, origin_of(one.plan))
        assert weights_of(path) is not None
        wanted = origin_of(one.plan)
        if spoil == "plan":
            wanted = replace(wanted, plan=replace(one.plan, lr=0.5))
        else:
            path.write_bytes(path.read_bytes()[:-100])
            assert weights_of(path) is None
        assert not resume(one, path, wanted)
        assert not path.exists()
