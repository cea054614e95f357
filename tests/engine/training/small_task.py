"""A task that the small backbone learns in a moment, and learners of it."""

from __future__ import annotations

from typing import Any

import torch

from engine.knowledge.retrieve import Knowledge
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone
from engine.training.group import Group
from engine.training.learner import Learner
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport
from engine.training.tasks.classification import Classification

LABELS = ("bad", "good")
ROWS = [
    (f"{article} {noun} {verb} {word}", label)
    for article in ("the", "a", "my")
    for noun in ("film", "movie", "plot", "order", "card")
    for verb in ("was", "is")
    for word, label in (("good", "good"), ("great", "good"), ("bad", "bad"), ("dull", "bad"))
]


def start(backbone: Backbone, seed: int = 3, labels: int = 2, rank: int = 4) -> AdapterWeights:
    shape = AdapterShape(backbone.shape.layers - backbone.split, backbone.shape.hidden, rank)
    return random_adapter(shape, labels, torch.Generator().manual_seed(seed))


def learner(
    backbone: Backbone, knowledge: Knowledge, rows: int = len(ROWS), **plan: Any
) -> Learner:
    return Learner(
        backbone,
        knowledge,
        Classification(LABELS, ROWS[:rows], plan.get("class_weights", "none")),
        TrainPlan(**{"epochs": 2, "lr": 1e-2, "batch_size": 8, **plan}),
        TrainReport(),
        tick=lambda: None,
        check=lambda: None,
    )


def finish(group: Group, learners: list[Learner], steps: int = 1000) -> None:
    """Train all of them to their ends, or for so many steps."""
    for _ in range(steps):
        going = [one for one in learners if not one.ended]
        if not going:
            return
        group.step(going)
        for one in going:
            if one.due:
                one.judge(group.evaluate(one, one.rounded()))


def same(left: AdapterWeights, right: AdapterWeights) -> bool:
    """Bit for bit."""
    pairs = zip(left.tensors().values(), right.tensors().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)
