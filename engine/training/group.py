"""Several trainings in one pass over the shared upper layers: a step of each at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import HmiError
from engine.model.adapters import AdapterWeights
from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.training.learner import Learner
from engine.training.stack import NO_DROPOUT, AdapterStack, Dropout
from engine.training.states import packed
from engine.training.tasks.task import Score

MOST = 8
"""Trainings in a pass: more share little more and wait for each other."""
_TEXTS = 64
"""Held-out texts predicted at once."""


class Group:
    """Learners whose adapters have one shape. Each sees the rows that it would see alone."""

    def __init__(
        self, backbone: Backbone, learners: Sequence[Learner], starts: Sequence[AdapterWeights]
    ) -> None:
        self._backbone = backbone
        self.stack = AdapterStack(starts, backbone.device)
        for place, learner in enumerate(learners):
            learner.take_place(self.stack, place)
        self.failed: dict[Learner, HmiError] = {}
        """Learners that cannot go on, and why; the others do."""

    def step(self, learners: Sequence[Learner]) -> None:
        """One step of each of `learners`, none of which has ended."""
        drawn = [learner.batch() for learner in learners]
        drop = Dropout(
            [learner.plan.dropout for learner in learners],
            [learner.drop_seed for learner in learners],
        )
        logits = self._logits(
            learners,
            [batch.rows for batch in drawn],
            [batch.exact for batch in drawn],
            drop,
        )
        losses = [
            learner.task.loss(each, batch.rows)
            for learner, each, batch in zip(learners, logits, drawn, strict=True)
        ]
        self.stack.clear_gradients()
        # The sum's gradient for one adapter is that of its own loss: the others have no part in it.
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        for learner, loss in zip(learners, losses, strict=True):
            self.stack.share_gradients(learner.place)
            try:
                learner.learn(float(loss.detach()))
            except HmiError as error:
                self.failed[learner] = error

    def evaluate(self, learner: Learner, weights: AdapterWeights) -> Score:
        """How good `weights` predict the learner's held-out rows, in its own mode."""
        return evaluate(self._backbone, learner, weights)

    def _logits(
        self,
        learners: Sequence[Learner],
        rows: Sequence[list[int]],
        exact: Sequence[list[bool]],
        drop: Dropout,
    ) -> list[Tensor]:
        """Logits (V, C) float32 of each; see Task."""
        parts = [
            learner.states(each, turns)
            for learner, each, turns in zip(learners, rows, exact, strict=True)
        ]
        counts = [sum(map(len, part)) for part in parts]
        states, packing = packed([state for part in parts for state in part], self._backbone)
        places = [learner.place for learner in learners]
        top = self._backbone.upper(states, packing, self.stack.place(places, counts, drop))
        found = []
        for learner, own, part, each in zip(
            learners, torch.split(top[: sum(counts)], counts), parts, rows, strict=True
        ):
            mine = Packing.of([len(state) for state in part], self._backbone.device)
            pooled = learner.task.pool(own, mine, each)
            found.append(F.linear(pooled, *self.stack.heads[learner.place]))
        return found


@torch.no_grad()
def evaluate(backbone: Backbone, learner: Learner, weights: AdapterWeights) -> Score:
    """How good `weights` predict the learner's held-out rows, in its own mode."""
    stack, task = AdapterStack([weights], backbone.device), learner.task
    head, bias = stack.heads[0]
    found = [torch.empty(0, task.outputs)]
    for start in range(0, len(learner.held_out), _TEXTS):
        learner.check()
        rows = learner.held_out[start : start + _TEXTS]
        parts = learner.states(rows, [learner.exact] * len(rows))
        lengths = [len(part) for part in parts]
        states, packing = packed(parts, backbone)
        top = backbone.upper(states, packing, stack.place([0], [sum(lengths)], NO_DROPOUT))
        own = Packing.of(lengths, backbone.device)
        pooled = task.pool(top[: sum(lengths)], own, rows)
        found.append(F.linear(pooled, head, bias).cpu())
    return task.score(torch.cat(found), learner.held_out)
