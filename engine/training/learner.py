"""One vPLM's training: which rows come when, how far it is, and what it comes to.

Which rows a step sees follows from the seed and the step's number alone, so that a run goes on
after any step as if it had never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.errors import BadInput
from engine.knowledge.retrieve import Knowledge
from engine.model.adapters import AdapterWeights
from engine.model.backbone import Backbone
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport, told
from engine.training.schedule import set_rate
from engine.training.stack import AdapterStack
from engine.training.states import Shelf, StateCache
from engine.training.tasks.task import Score, Task

STATE_BUDGET = 1 << 30
_PREPARING = 0.2
"""Share of the progress bar that computing the lower layers takes."""
_POINTS = 200
"""Losses told in a run, at most."""


class Learner:
    """Adapter number `place` of a stack, and all that belongs to its run alone."""

    def __init__(
        self,
        backbone: Backbone,
        knowledge: Knowledge,
        task: Task,
        plan: TrainPlan,
        report: TrainReport,
        tick: Callable[[], None],
        check: Callable[[], None],
        shelf: Shelf | None = None,
    ) -> None:
        """Compute the rows' lower layers. `tick` is called whenever `report` has news, `check`
        may raise to end the run."""
        self.task, self.plan, self.report, self.tick, self.check = task, plan, report, tick, check
        readings = task.read(backbone)
        self.training, self.held_out = task.split(plan.seed)
        report.rows, report.held_out = len(readings), len(self.held_out)
        report.metric = task.metric
        report.truncated = sum(reading.cut for reading in readings)
        self.cache = StateCache(
            backbone,
            knowledge,
            readings,
            STATE_BUDGET,
            self._prepared,
            exact=plan.mode == "exact",
            shelf=shelf,
        )
        self.epoch_steps = len(
            task.batches(self.training, plan.batch_size, np.random.default_rng(plan.seed))
        )
        self.steps = plan.epochs * self.epoch_steps
        self.best: AdapterWeights | None = None
        """The best epoch's, of a run that is patient."""
        self.running: float | None = None
        self.stopped_early = False
        self.begun = False
        """Whether it has its place in a stack."""
        self._epoch, self._order = -1, list[list[int]]()
        self._began = time.perf_counter()

    def take_place(self, stack: AdapterStack, place: int) -> None:
        """Learn there."""
        self.stack, self.place = stack, place
        self.parameters = stack.parameters(place)
        self.optimizer = self.plan.optimizer_of(self.parameters)
        self.begun = True

    @property
    def step(self) -> int:
        return self.report.step

    @property
    def epoch(self) -> int:
        """The one that the next step belongs to, from 0."""
        return self.step // self.epoch_steps

    @property
    def ended(self) -> bool:
        return self.step >= self.steps or self.stopped_early

    @property
    def due(self) -> bool:
        """Whether an epoch is complete whose held-out rows have not been predicted yet."""
        return self.step % self.epoch_steps == 0 and len(self.report.accuracy) < self.epoch

    def batch(self) -> list[int]:
        """The rows of the next step."""
        if self._epoch != self.epoch:
            self._epoch = self.epoch
            rng = np.random.default_rng([self.plan.seed, 2, self.epoch])
            self._order = self.task.batches(self.training, self.plan.batch_size, rng)
        return self._order[self.step % self.epoch_steps]

    @property
    def drop_seed(self) -> int:
        """Of what the next step drops."""
        return int(np.random.SeedSequence([self.plan.seed, 3, self.step]).generate_state(1)[0])

    def learn(self, loss: float) -> None:
        """One step with the gradients that the parameters have. BadInput if `loss` exploded."""
        if not math.isfinite(loss):
            raise exploded(self.step + 1, self.plan.lr)
        plan, report = self.plan, self.report
        set_rate(self.optimizer, plan.lr, self.step / self.steps, plan.schedule, plan.warmup)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        report.step += 1
        self.running = loss if self.running is None else 0.9 * self.running + 0.1 * loss
        if report.step % max(1, self.steps // _POINTS) == 0 or report.step == self.steps:
            report.progress = _PREPARING + (0.98 - _PREPARING) * report.step / self.steps
            now = (report.step - 1) // self.epoch_steps + 1
            report.message = f"epoch {now} of {plan.epochs}, loss {self.running:.3f}"
            report.loss.append((report.step, round(self.running, 5)))
            self.tick()

    def judge(self, score: Score) -> None:
        """An epoch's held-out rows were predicted."""
        report, plan = self.report, self.plan
        report.confusion, report.measures = score.confusion, dict(score.measures)
        report.classes = list(score.classes)
        report.accuracy.append((report.step, score.value))
        values = [value for _, value in report.accuracy]
        best = int(np.argmax(values))
        report.kept = best if plan.patience else len(values) - 1
        if plan.patience and best == len(values) - 1:
            self.best = self.rounded()
        self.stopped_early = 0 < plan.patience < len(values) - best
        report.message = (
            f"epoch {self.epoch} of {plan.epochs}: held-out {told(self.task.metric, score.value)}"
        )
        self.tick()

    def rounded(self) -> AdapterWeights:
        """The weights as they will be stored and served. BadInput if they cannot be."""
        weights = self.stack.weights(self.place)
        stored = AdapterWeights(**{name: t.half().float() for name, t in weights.tensors().items()})
        if not all(t.isfinite().all() for t in stored.tensors().values()):
            raise exploded(self.step, self.plan.lr)
        return stored

    def outcome(self) -> AdapterWeights:
        """What the run comes to, and its last message."""
        report = self.report
        last = self.rounded()
        early = f", stopped after epoch {self.epoch}" if self.stopped_early else ""
        report.message = (
            f"trained {self.plan.epochs} epochs{early} on {len(self.training):,} rows in "
            f"{time.perf_counter() - self._began:.0f} s; held-out "
            f"{told(self.task.metric, report.value)}"
        )
        return last if self.best is None else self.best

    def states(self, rows: Sequence[int]) -> list[Tensor]:
        """Their lower layers' outputs, as serving has them in the vPLM's mode; see StateCache."""
        return self.cache.states(rows)

    def _prepared(self, share: float) -> None:
        self.check()
        self.report.progress = _PREPARING * share
        self.report.message = f"computing lower layers: {share:.0%}"
        self.tick()


def exploded(step: int, lr: float) -> BadInput:
    return BadInput(
        f"The numbers are no longer finite at step {step}.",
        remedy=f"Train with a lower learning rate than {lr:g}.",
        code="loss_exploded",
    )
