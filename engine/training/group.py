"""Several trainings in one pass over the shared upper layers: a step of each at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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
_TOKENS = 512
"""More at once leave a processor's cache and take longer, each, than in two passes."""
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
        """One step of each of `learners`, none of which has ended; of as many at once as are worth
        it."""
        drawn = [_Drawn.of(learner) for learner in learners]
        for part in self._parts(drawn):
            self._step(part)

    def _parts(self, drawn: list[_Drawn]) -> list[list[_Drawn]]:
        if self._backbone.device.type != "cpu":
            return [drawn]
        parts: list[list[_Drawn]] = []
        tokens = _TOKENS
        for each in drawn:
            if tokens + each.tokens > _TOKENS:
                parts.append([])
                tokens = 0
            parts[-1].append(each)
            tokens += each.tokens
        return parts

    def _step(self, drawn: list[_Drawn]) -> None:
        answers = self._answers(drawn)
        losses = [
            each.learner.task.loss(own, each.rows) for each, own in zip(drawn, answers, strict=True)
        ]
        for each in drawn:
            each.learner.optimizer.zero_grad(set_to_none=True)
        # The sum's gradient for one adapter is that of its own loss: the others have no part in it.
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        for each, loss in zip(drawn, losses, strict=True):
            try:
                each.learner.learn(float(loss.detach()))
            except HmiError as error:
                self.failed[each.learner] = error

    def evaluate(self, learner: Learner, weights: AdapterWeights) -> Score:
        """How good `weights` predict the learner's held-out rows, in its own mode."""
        return evaluate(self._backbone, learner, weights)

    def _answers(self, drawn: list[_Drawn]) -> list[Tensor]:
        """What each says (V, C) float32; see Task."""
        drop = Dropout(
            [each.learner.plan.dropout for each in drawn],
            [each.learner.drop_seed for each in drawn],
        )
        counts = [each.tokens for each in drawn]
        every = [state for each in drawn for state in each.states]
        states, packing = packed(every, self._backbone)
        places = [each.learner.place for each in drawn]
        top = self._backbone.upper(states, packing, self.stack.place(places, counts, drop))
        found = []
        for each, own in zip(drawn, torch.split(top[: sum(counts)], counts), strict=True):
            mine = Packing.of([len(state) for state in each.states], self._backbone.device)
            head = self.stack.head(each.learner.place)
            found.append(each.learner.task.answers(own, mine, each.rows, *head))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A learner's next batch with its rows' states."""

    learner: Learner
    rows: list[int]
    states: list[Tensor]

    @property
    def tokens(self) -> int:
        return sum(map(len, self.states))

    @classmethod
    def of(cls, learner: Learner) -> _Drawn:
        rows = learner.batch()
        return cls(learner, rows, learner.states(rows))


@torch.no_grad()
def evaluate(backbone: Backbone, learner: Learner, weights: AdapterWeights) -> Score:
    """How good `weights` predict the learner's held-out rows, in its own mode."""
    stack, task = AdapterStack([weights], backbone.device), learner.task
    found = [torch.empty(0, task.outputs)]
    for start in range(0, len(learner.held_out), _TEXTS):
        learner.check()
        rows = learner.held_out[start : start + _TEXTS]
        parts = learner.states(rows)
        lengths = [len(part) for part in parts]
        states, packing = packed(parts, backbone)
        top = backbone.upper(states, packing, stack.place([0], [sum(lengths)], NO_DROPOUT))
        own = Packing.of(lengths, backbone.device)
        found.append(task.answers(top[: sum(lengths)], own, rows, *stack.head(0)).cpu())
    return task.score(torch.cat(found), learner.held_out)
