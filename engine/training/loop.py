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
from engine.training.confusion import confusion
from engine.training.schedule import batches, set_rate, split
from engine.training.states import StateCache

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
    """The vPLM's own mode, in which held-out accuracy is measured."""


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
    confusion: dict[str, Any] = field(default_factory=dict)
    """Of the last evaluation; see engine.training.confusion."""


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
    labels: tuple[str, ...],
    rows: list[tuple[str, str]],
    plan: TrainPlan,
    report: TrainReport,
    tick: Callable[[], None],
    cancelled: Callable[[], bool],
) -> AdapterWeights:
    """Train on `rows` of (text, label); a tenth of each label is held out.

    Texts are seen by turns through the tables and exactly, so that the adapter serves both modes.
    `tick` is called whenever `report` has news. Raises Cancelled, or BadInput if the loss explodes.
    """
    order = {label: i for i, label in enumerate(labels)}
    targets = np.array([order[label] for _, label in rows])
    training, held_out = split(targets, plan.seed)
    cut = [backbone.cut(ids) for ids in backbone.tokenize([text for text, _ in rows])]
    report.rows, report.held_out = len(rows), len(held_out)
    report.truncated = sum(was for _, was in cut)

    def prepared(share: float) -> None:
        _check(cancelled)
        report.progress = _PREPARING * share
        report.message = f"computing lower layers: {share:.0%}"
        tick()

    cache = StateCache(backbone, knowledge, [ids for ids, _ in cut], STATE_BUDGET, prepared)
    learner = _Learner(start, backbone.device)
    optimizer = OPTIMIZERS[plan.optimizer](learner.parameters(), lr=plan.lr)
    rng = np.random.default_rng(plan.seed)
    lengths = np.array([len(ids) for ids, _ in cut])
    steps = plan.epochs * -(-len(training) // plan.batch_size)
    began = last = time.perf_counter()
    running: float | None = None
    for epoch in range(plan.epochs):
        for batch in batches(training, lengths, plan.batch_size, rng):
            _check(cancelled)
            set_rate(optimizer, plan.lr, report.step / steps)
            turn = rng.random(len(batch)) < 0.5
            loss = _step(backbone, cache, learner, optimizer, batch, turn, targets)
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
        predicted = predict(backbone, cache, learner.stored(), held_out, exact=plan.mode == "exact")
        accuracy = float((predicted == targets[held_out]).mean()) if len(held_out) else 0.0
        report.confusion = confusion(targets[held_out], predicted, labels)
        report.accuracy.append((report.step, accuracy))
        report.message = f"epoch {epoch + 1} of {plan.epochs}: held-out accuracy {accuracy:.3f}"
        tick()
    stored = learner.stored()
    if not all(t.isfinite().all() for t in stored.tensors().values()):
        raise _exploded(report.step, plan.lr)
    report.message = (
        f"trained {plan.epochs} epochs on {len(training):,} rows in "
        f"{time.perf_counter() - began:.0f} s; held-out accuracy {report.accuracy[-1][1]:.3f}"
    )
    return stored


def predict(
    backbone: Backbone,
    cache: StateCache,
    weights: AdapterWeights,
    rows: list[int],
    *,
    exact: bool,
) -> NDArray[np.int64]:
    """The most probable label of each of `rows`."""
    model = _Learner(weights, backbone.device)
    found = [np.empty(0, dtype=np.int64)]
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            part = rows[start : start + 64]
            logits = _forward(backbone, cache, model, part, [exact] * len(part))
            found.append(logits.argmax(-1).cpu().numpy())
    return np.concatenate(found)


def _forward(
    backbone: Backbone, cache: StateCache, model: _Learner, rows: list[int], exact: list[bool]
) -> Tensor:
    """Logits (B, C) float32."""
    states, packing = cache.get(list(zip(rows, exact, strict=True)))
    pooled = packing.mean(backbone.upper(states, packing, model))
    return F.linear(pooled, model.weights.head, model.weights.head_bias)


def _step(
    backbone: Backbone,
    cache: StateCache,
    learner: _Learner,
    optimizer: torch.optim.Optimizer,
    batch: list[int],
    exact: NDArray[np.bool_],
    targets: NDArray[np.int64],
) -> float:
    logits = _forward(backbone, cache, learner, batch, exact.tolist())
    loss = F.cross_entropy(logits, torch.from_numpy(targets[batch]).to(logits.device))
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
