"""Training one vPLM: its adapter and head learn, everything else is frozen."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput, Cancelled
from engine.knowledge.retrieve import Knowledge
from engine.model.adapters import PLACES, AdapterWeights, bottleneck
from engine.model.backbone import Backbone
from engine.training.schedule import batches, set_rate, split
from engine.training.states import StateCache
from engine.training.tasks.task import Score, Task

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
}
STATE_BUDGET = 1 << 30
_PREPARING = 0.2
"""Share of the progress bar that computing the lower layers takes."""


@dataclass(frozen=True, slots=True)
class TrainPlan:
    epochs: int = 3
    lr: float = 1e-3
    batch_size: int = 32
    optimizer: str = "adamw"
    seed: int = 0
    mode: str = "plot"
    """The vPLM's own mode, in which held-out rows are predicted."""


@dataclass(slots=True)
class TrainReport:
    """What a run has done so far; the series grow as it goes on."""

    rows: int = 0
    held_out: int = 0
    truncated: int = 0
    step: int = 0
    progress: float = 0.0
    message: str = ""
    loss: list[tuple[int, float]] = field(default_factory=list)
    accuracy: list[tuple[int, float]] = field(default_factory=list)
    """The task's own metric; see Score."""
    confusion: dict[str, Any] = field(default_factory=dict)
    """Of the last evaluation; see engine.training.confusion."""
    measures: dict[str, float] = field(default_factory=dict)
    """All metrics of the last evaluation by name."""


class _Learner:
    """The adapter as trainable float32 tensors, applied as `Place` inside the upper layers."""

    def __init__(self, start: AdapterWeights, device: torch.device) -> None:
        self.weights = AdapterWeights(
            **{
                name: t.to(device, torch.float32).clone().requires_grad_()
                for name, t in start.tensors().items()
            }
        )

    def __call__(self, x: Tensor, layer: int, place: str) -> Tensor:
        w, at = self.weights, PLACES.index(place)
        parts = (w.down[layer, at], w.down_bias[layer, at], w.up[layer, at], w.up_bias[layer, at])
        return bottleneck(x, *(p.to(x.dtype) for p in parts))

    def parameters(self) -> list[Tensor]:
        return [getattr(self.weights, f.name) for f in fields(AdapterWeights)]

    def stored(self) -> AdapterWeights:
        """Rounded as it will be stored and served."""
        return AdapterWeights(
            **{name: t.detach().half().float() for name, t in self.weights.tensors().items()}
        )


def train(
    backbone: Backbone,
    knowledge: Knowledge,
    start: AdapterWeights,
    task: Task,
    plan: TrainPlan,
    report: TrainReport,
    tick: Callable[[], None],
    cancelled: Callable[[], bool],
) -> AdapterWeights:
    """Train on the rows of `task`; a tenth of each of its groups is held out.

    Texts are seen by turns through the tables and exactly, so that the adapter serves both modes.
    `tick` is called whenever `report` has news. Raises Cancelled, or BadInput if the loss explodes.
    """
    groups = task.groups
    training, held_out = split(groups, plan.seed)
    readings = task.read(backbone)
    report.rows, report.held_out = len(groups), len(held_out)
    report.truncated = sum(reading.cut for reading in readings)

    def prepared(share: float) -> None:
        _check(cancelled)
        report.progress = _PREPARING * share
        report.message = f"computing lower layers: {share:.0%}"
        tick()

    cache = StateCache(backbone, knowledge, readings, STATE_BUDGET, prepared)
    learner = _Learner(start, backbone.device)
    optimizer = OPTIMIZERS[plan.optimizer](learner.parameters(), lr=plan.lr)
    rng = np.random.default_rng(plan.seed)
    lengths = np.array([len(reading.ids) for reading in readings])
    steps = plan.epochs * -(-len(training) // plan.batch_size)
    began = last = time.perf_counter()
    running: float | None = None
    for epoch in range(plan.epochs):
        for batch in batches(training, lengths, plan.batch_size, rng):
            _check(cancelled)
            set_rate(optimizer, plan.lr, report.step / steps)
            turn = rng.random(len(batch)) < 0.5
            loss = _step(backbone, cache, learner, optimizer, task, batch, turn)
            report.step += 1
            if not np.isfinite(loss):
                raise _exploded(report.step, plan.lr)
            running = loss if running is None else 0.9 * running + 0.1 * loss
            now = time.perf_counter()
            if now - last > 0.5 or report.step == steps:
                last = now
                report.progress = _PREPARING + (0.98 - _PREPARING) * report.step / steps
                report.message = f"epoch {epoch + 1} of {plan.epochs}, loss {running:.3f}"
                report.loss.append((report.step, round(running, 5)))
                tick()
        exact = plan.mode == "exact"
        score = evaluate(backbone, cache, learner.stored(), task, held_out, exact=exact)
        report.confusion, report.measures = score.confusion, dict(score.measures)
        report.accuracy.append((report.step, score.value))
        report.message = (
            f"epoch {epoch + 1} of {plan.epochs}: held-out {task.metric} {score.value:.3f}"
        )
        tick()
    stored = learner.stored()
    if not all(t.isfinite().all() for t in stored.tensors().values()):
        raise _exploded(report.step, plan.lr)
    report.message = (
        f"trained {plan.epochs} epochs on {len(training):,} rows in "
        f"{time.perf_counter() - began:.0f} s; held-out {task.metric} "
        f"{report.accuracy[-1][1]:.3f}"
    )
    return stored


def evaluate(
    backbone: Backbone,
    cache: StateCache,
    weights: AdapterWeights,
    task: Task,
    rows: list[int],
    *,
    exact: bool,
) -> Score:
    """How good the predictions for `rows` are, in one mode."""
    model = _Learner(weights, backbone.device)
    found = [torch.empty(0, task.outputs)]
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            part = rows[start : start + 64]
            found.append(_forward(backbone, cache, model, task, part, [exact] * len(part)).cpu())
    return task.score(torch.cat(found), rows)


def _forward(
    backbone: Backbone,
    cache: StateCache,
    model: _Learner,
    task: Task,
    rows: list[int],
    exact: list[bool],
) -> Tensor:
    """Logits (V, C) float32; see Task."""
    states, packing = cache.get(list(zip(rows, exact, strict=True)))
    pooled = task.pool(backbone.upper(states, packing, model), packing, rows)
    return F.linear(pooled, model.weights.head, model.weights.head_bias)


def _step(
    backbone: Backbone,
    cache: StateCache,
    learner: _Learner,
    optimizer: torch.optim.Optimizer,
    task: Task,
    batch: list[int],
    exact: NDArray[np.bool_],
) -> float:
    loss = task.loss(_forward(backbone, cache, learner, task, batch, exact.tolist()), batch)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
    optimizer.step()
    return float(loss.detach())


def _exploded(step: int, lr: float) -> BadInput:
    return BadInput(
        f"The numbers are no longer finite at step {step}.",
        remedy=f"Train with a lower learning rate than {lr:g}.",
        code="loss_exploded",
    )


def _check(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled("The job was cancelled; the vPLM goes on as it was.")
