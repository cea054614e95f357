"""The sides of `hmi bench training`: an adapter, full fine-tuning, and jobs together or in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.bench.duels import Curve
from engine.bench.finetune import FineTuning
from engine.bench.memory import PeakMemory
from engine.bench.model import Model, open_model
from engine.bench.sources import Dataset, Row, Sources
from engine.bench.subject import ModelChoice
from engine.bench.tables import Tables
from engine.knowledge.retrieve import Knowledge
from engine.model.reading import read_texts
from engine.process import keep_freed_memory
from engine.training.group import Group, evaluate
from engine.training.head_start import head_start
from engine.training.learner import Learner
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport
from engine.training.states import Shelf
from engine.training.tasks.classification import Classification


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What the sides share. `looks` is how often an epoch held-out rows are predicted, which no
    clock counts; `jobs` of `small_rows` rows are trained together."""

    rows: int = 0
    epochs: int = 3
    lr: float = 2e-3
    full_lr: float = 5e-5
    batch_size: int = 32
    rank: int = 64
    looks: int = 4
    jobs: int = 8
    small_rows: int = 200
    small_batch: int = 8
    mode: str = "plot"
    seed: int = 0
    alpha: float = 0.5
    table_cache: int = 512 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """All that a side's process needs; the tables are built, in `folder`."""

    choice: ModelChoice
    sources: Sources
    folder: Path
    plan: TrainingPlan
    threads: int

    def open(self, domains: Sequence[str]) -> tuple[Model, Tables]:
        torch.set_num_threads(self.threads)
        keep_freed_memory()
        model = open_model(self.choice)
        tables = Tables(self.folder, model)
        tables.open(tuple(domains))
        return model, tables


class _Clock:
    """Seconds of work, without those of looking."""

    def __init__(self) -> None:
        self._spent, self._began = 0.0, time.perf_counter()

    def stop(self) -> float:
        self._spent += time.perf_counter() - self._began
        return self._spent

    def go_on(self) -> None:
        self._began = time.perf_counter()


def adapter_side(place: Place, name: str) -> Curve:
    dataset, plan = place.sources.dataset(name), place.plan
    model, tables = place.open([dataset.domain])
    rows = dataset.drawn(plan.rows, plan.seed)
    knowledge = tables.knowledge(dataset.domain, 32 << 20)
    points = []
    with PeakMemory(model.backbone.device) as memory:
        clock = _Clock()
        learner = _learner(place, model, knowledge, dataset, rows, plan.seed, plan.batch_size)
        fresh = model.adapter(plan.rank, len(dataset.labels), plan.seed)
        start = head_start(model.backbone, learner, fresh)
        points.append((clock.stop(), evaluate(model.backbone, learner, start).value))
        clock.go_on()
        group = Group(model.backbone, [learner], [start])
        every = max(1, learner.epoch_steps // plan.looks)
        while not learner.ended:
            group.step([learner])
            if learner.step % every == 0 or learner.ended:
                at = clock.stop()
                points.append((at, group.evaluate(learner, learner.rounded()).value))
                clock.go_on()
    return Curve(tuple(points), memory.extra)


def full_side(place: Place, name: str) -> Curve:
    dataset, plan = place.sources.dataset(name), place.plan
    model, _ = place.open([])
    rows = dataset.drawn(plan.rows, plan.seed)
    points = []
    with PeakMemory(model.backbone.device) as memory:
        clock = _Clock()
        task = Classification(dataset.labels, rows)
        training, held_out = task.split(plan.seed)
        readings = read_texts(model.backbone, [text for text, _ in rows])
        hyper = TrainPlan(plan.epochs, plan.full_lr, plan.batch_size, seed=plan.seed)
        tuning = FineTuning(model.backbone, task, readings, hyper)
        steps_an_epoch = -(-len(training) // plan.batch_size)
        steps, step = plan.epochs * steps_an_epoch, 0
        every = max(1, steps_an_epoch // plan.looks)
        for epoch in range(plan.epochs):
            for batch in tuning.epoch(epoch, training):
                tuning.learn(batch, step / steps)
                step += 1
                if step % every == 0 or step == steps:
                    at = clock.stop()
                    points.append((at, tuning.score(held_out).value))
                    clock.go_on()
    return Curve(tuple(points), memory.extra)


Trained = tuple[float, dict[str, Any]]
"""Held-out accuracy, and the adapter's arrays."""


def one_job(place: Place, which: tuple[int, str]) -> Trained:
    return jobs_in_turn(place, [which[1]], first=which[0])[1][0]


def jobs_in_turn(place: Place, names: Sequence[str], first: int = 0) -> tuple[float, list[Trained]]:
    return _jobs(place, names, first, together=False)


def jobs_in_pass(place: Place, names: Sequence[str]) -> tuple[float, list[Trained]]:
    return _jobs(place, names, 0, together=True)


def _jobs(
    place: Place, names: Sequence[str], first: int, *, together: bool
) -> tuple[float, list[Trained]]:
    """Train them; the seconds without loading, and what they came to."""
    plan = place.plan
    datasets = {name: place.sources.dataset(name) for name in names}
    model, tables = place.open(sorted({d.domain for d in datasets.values()}))
    known = {d.domain: tables.knowledge(d.domain, 32 << 20) for d in datasets.values()}
    began = time.perf_counter()
    learners, starts = [], []
    for seed, name in enumerate(names, start=first):
        dataset = datasets[name]
        rows = dataset.drawn(plan.small_rows, plan.seed)
        learners.append(
            _learner(place, model, known[dataset.domain], dataset, rows, seed, plan.small_batch)
        )
        fresh = model.adapter(plan.rank, len(dataset.labels), seed)
        starts.append(head_start(model.backbone, learners[-1], fresh))
        if not together:
            _finish(Group(model.backbone, learners[-1:], starts[-1:]), learners[-1:])
    if together:
        _finish(Group(model.backbone, learners, starts), learners)
    seconds = time.perf_counter() - began
    return seconds, [(one.report.value, one.outcome().arrays()) for one in learners]


def _finish(group: Group, learners: list[Learner]) -> None:
    while going := [one for one in learners if not one.ended]:
        group.step(going)
        for one in going:
            if one.due:
                one.judge(group.evaluate(one, one.rounded()))


def _learner(
    place: Place,
    model: Model,
    knowledge: Knowledge,
    dataset: Dataset,
    rows: list[Row],
    seed: int,
    batch_size: int,
) -> Learner:
    plan = place.plan
    return Learner(
        model.backbone,
        knowledge,
        Classification(dataset.labels, rows),
        TrainPlan(plan.epochs, plan.lr, batch_size, seed=seed, mode=plan.mode),
        TrainReport(),
        tick=lambda: None,
        check=lambda: None,
        # Shared where a dataset comes twice, as jobs of an engine share it.
        shelf=Shelf(place.folder / f"states-{os.getpid()}", dataset.domain),
    )
