"""A head that says what it can before the first step: fitted to what the upper layers give already.

A fresh head answers by chance, and an adapter below it learns nothing until the head has. The best
linear head over frozen states is a convex problem of a few thousand numbers; to solve it costs one
pass over some rows. Training everything from there is what Kumar et al. call LP-FT (Fine-Tuning can
Distort Pretrained Features, ICLR 2022), there against overfitting, here to save the steps.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.adapters import AdapterWeights
from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.training.learner import Learner
from engine.training.stack import NO_DROPOUT, AdapterStack
from engine.training.states import packed
from engine.training.tasks.headed import Headed

MOST_ROWS = 2048
MOST_TOKENS = 65_536
"""More tell the head little that its training would not."""
_DECAY = 1.0
"""Of weights over states of unit variance. Strong: a head that explains all of its rows leaves the
adapter nothing to learn from."""
_ROUNDS = 30
_TEXTS = 64
_FLAT = 1e-6


def head_start(backbone: Backbone, learner: Learner, start: AdapterWeights) -> AdapterWeights:
    """`start`, or that with another head where one is found that fits the training rows better.

    A head that has learnt its rows is never found wanting. The same rows and start give the same
    bits.
    """
    task = learner.task
    if not isinstance(task, Headed):
        return start
    order = np.random.default_rng([learner.plan.seed, 4]).permutation(learner.training)
    states, rows = _pooled(backbone, task, learner, start, order[:MOST_ROWS].tolist())
    if not len(states):
        return start
    found = fitted(task, states, rows)
    given = (start.head.to(states), start.head_bias.to(states))
    with torch.no_grad():
        fits, fitted_before = (
            float(task.loss(F.linear(states, *head), rows)) for head in (found, given)
        )
    if not fits < fitted_before:
        return start
    head, bias = (part.to(start.head) for part in found)
    return replace(start, head=head, head_bias=bias)


def fitted(task: Headed, states: Tensor, rows: list[int]) -> tuple[Tensor, Tensor]:
    """The head (C, H) and its bias (C,) with the least loss, and decay, over `states` (V, H)."""
    mean, unit = states.mean(0), states.std(0, correction=0) + _FLAT
    level = (states - mean) / unit
    head = level.new_zeros(task.outputs, level.shape[1], requires_grad=True)
    bias = level.new_zeros(task.outputs, requires_grad=True)
    search = torch.optim.LBFGS([head, bias], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

    def missed() -> Tensor:
        search.zero_grad()
        loss = task.loss(F.linear(level, head, bias), rows) + _DECAY / 2 * head.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    search.step(missed)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        scaled: Tensor = head / unit
        return scaled, bias - scaled @ mean


@torch.no_grad()
def _pooled(
    backbone: Backbone, task: Headed, learner: Learner, start: AdapterWeights, rows: list[int]
) -> tuple[Tensor, list[int]]:
    """What the head is asked about, (V, H) float32, in those of `rows` that it begins with."""
    stack = AdapterStack([start], backbone.device)
    found: list[Tensor] = []
    at = tokens = 0
    while at < len(rows) and tokens < MOST_TOKENS:
        learner.check()
        some = rows[at : at + _TEXTS]
        parts = learner.states(some)
        lengths = [len(part) for part in parts]
        states, packing = packed(parts, backbone)
        top = backbone.upper(states, packing, stack.place([0], [sum(lengths)], NO_DROPOUT))
        own = Packing.of(lengths, backbone.device)
        found.append(task.pool(top[: sum(lengths)], own, some).float())
        at, tokens = at + len(some), tokens + sum(lengths)
    return torch.cat(found), rows[:at]
