"""`hmi bench training`: adapters against full fine-tuning, and many jobs against one after another.

Every side runs in a process of its own, so that neither its memory nor its warm-up is another's.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import torch

from engine.bench.finetune import FineTuning
from engine.bench.memory import PeakMemory
from engine.bench.model import Model, open_model
from engine.bench.sources import Dataset, Row, Sources
from engine.bench.subject import ModelChoice
from engine.bench.table import number, share, table
from engine.bench.tables import Tables
from engine.errors import HmiError
from engine.knowledge.retrieve import Knowledge
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.reading import read_texts
from engine.process import keep_freed_memory
from engine.training.group import Group
from engine.training.learner import Learner
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport
from engine.training.states import Shelf
from engine.training.tasks.classification import Classification
from engine.training.worker.process import environment

T = TypeVar("T")
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What the sides share. `looks` is how often an epoch held-out rows are predicted, which no
    clock counts; `jobs` of `small_rows` rows are trained together."""

    rows: int = 0
    epochs: int = 3
    lr: float = 1e-3
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

    def rows(self, dataset: Dataset, limit: int) -> list[Row]:
        """Training rows, or `limit` of them drawn by the seed."""
        count = len(dataset.train)
        if not limit or limit >= count:
            return dataset.train
        drawn = np.random.default_rng([self.plan.seed, 7]).permutation(count)[:limit]
        return [dataset.train[i] for i in np.sort(drawn)]


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` are (seconds of work, held-out accuracy); `extra_bytes` memory beyond the loaded
    backbone at the peak."""

    points: tuple[tuple[float, float], ...]
    extra_bytes: int

    @property
    def best(self) -> float:
        return max(accuracy for _, accuracy in self.points)

    def reaches(self, accuracy: float) -> float | None:
        """Seconds until it is that good; None if never."""
        return next((at for at, value in self.points if value >= accuracy), None)


@dataclass(frozen=True, slots=True)
class Duel:
    """An adapter and full fine-tuning on one dataset."""

    dataset: str
    rows: int
    adapter: Curve
    full: Curve

    @property
    def target(self) -> float:
        """The accuracy that both reach."""
        return min(self.adapter.best, self.full.best)

    @property
    def time(self) -> float:
        """The adapter's share of full fine-tuning's time to the target."""
        mine, other = self.adapter.reaches(self.target), self.full.reaches(self.target)
        assert mine is not None, "it is the lower of both sides' best"
        assert other, "no step takes no time"
        return mine / other

    @property
    def memory(self) -> float:
        return self.adapter.extra_bytes / self.full.extra_bytes


@dataclass(frozen=True, slots=True)
class Company:
    """The same jobs three ways, in seconds: each in a process of its own, one after the other in
    one process, and in one pass. `apart` is how far accuracies of the pass are from those alone,
    at most, and `weights_apart` how far any weight is."""

    jobs: int
    rows: int
    processes_s: float
    in_turn_s: float
    pass_s: float
    apart: float
    weights_apart: float


def measure_duel(place: Place, name: str) -> Duel:
    """Both sides, one after the other, each in a fresh process."""
    dataset = place.sources.dataset(name)
    rows = len(place.rows(dataset, place.plan.rows))
    return Duel(name, rows, _apart(_adapter, place, name), _apart(_full, place, name))


def measure_company(place: Place, names: Sequence[str]) -> Company:
    """Small jobs of the datasets in turn, the three ways."""
    wanted = [names[i % len(names)] for i in range(place.plan.jobs)]
    began = time.perf_counter()
    for number_, name in enumerate(wanted):
        _apart(_one_job, place, (number_, name))
    processes = time.perf_counter() - began
    in_turn, alone = _apart(_jobs_in_turn, place, wanted)
    together, company = _apart(_jobs_in_pass, place, wanted)
    apart = max(abs(a - b) for (a, _), (b, _) in zip(alone, company, strict=True))
    weights = max(
        float(np.abs(x[key] - y[key]).max())
        for (_, x), (_, y) in zip(alone, company, strict=True)
        for key in x
    )
    rows = place.plan.small_rows
    return Company(len(wanted), rows, processes, in_turn, together, apart, weights)


def training_results(duels: Sequence[Duel], company: Company | None) -> dict[str, Any]:
    found = [
        asdict(duel) | {"target": duel.target, "time": duel.time, "memory": duel.memory}
        for duel in duels
    ]
    return {"duels": found, "company": None if company is None else asdict(company)}


def render_training(duels: Sequence[Duel], company: Company | None) -> str:
    quality = ("dataset", ">rows", ">adapter", ">full", ">both reach")
    heads = (*quality, ">adapter s", ">full s", ">time", ">adapter MiB", ">full MiB", ">memory")
    lines = [
        (
            duel.dataset,
            f"{duel.rows:,}",
            number(duel.adapter.best, 3),
            number(duel.full.best, 3),
            number(duel.target, 3),
            number(duel.adapter.reaches(duel.target), 1),
            number(duel.full.reaches(duel.target), 1),
            share(duel.time),
            number(duel.adapter.extra_bytes / (1 << 20), 0),
            number(duel.full.extra_bytes / (1 << 20), 0),
            share(duel.memory),
        )
        for duel in duels
    ]
    parts = []
    if duels:
        times, memories = [d.time for d in duels], [d.memory for d in duels]
        parts.append(table(heads, lines))
        parts.append(
            f"median: {share(median(times))} of the time, {share(median(memories))} of the memory"
        )
    if company is not None:
        rows = company.jobs * company.rows
        ways = (
            ("a process each", company.processes_s),
            ("one after the other", company.in_turn_s),
            ("in one pass", company.pass_s),
        )
        compared = [
            (way, number(s, 2), number(rows / s, 0), number(s / company.pass_s)) for way, s in ways
        ]
        head = (f"{company.jobs} jobs of {company.rows} rows", ">seconds", ">rows/s", ">times")
        parts.append(table(head, compared))
        parts.append(
            f"the pass against each alone: accuracies at most {company.apart:.4f} apart, "
            f"weights {company.weights_apart:.1e}"
        )
    return "\n\n".join(parts)


def _apart(work: Callable[[Place, Any], T], place: Place, what: object) -> T:
    """`work` in a process of its own. HmiError if it dies."""
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_answer, args=(theirs, work, place, what), daemon=True)
    # For both sides alike, as the engine starts its training process.
    before = dict(os.environ)
    os.environ |= environment(place.threads)
    try:
        process.start()
    finally:
        os.environ.clear()
        os.environ |= before
    theirs.close()
    try:
        found: T = ours.recv()
    except EOFError:
        raise HmiError(f"A side of the measurement died ({work.__name__}, {what}).") from None
    finally:
        process.join()
    return found


def _answer(
    connection: Connection, work: Callable[[Place, Any], Any], place: Place, what: object
) -> None:
    connection.send(work(place, what))


class _Clock:
    """Seconds of work, without those of looking."""

    def __init__(self) -> None:
        self._spent, self._began = 0.0, time.perf_counter()

    def stop(self) -> float:
        self._spent += time.perf_counter() - self._began
        return self._spent

    def go_on(self) -> None:
        self._began = time.perf_counter()


def _adapter(place: Place, name: str) -> Curve:
    dataset, plan = place.sources.dataset(name), place.plan
    model, tables = place.open([dataset.domain])
    rows = place.rows(dataset, plan.rows)
    knowledge = tables.knowledge(dataset.domain, 32 << 20)
    points = []
    with PeakMemory(model.backbone.device) as memory:
        clock = _Clock()
        learner = _learner(place, model, knowledge, dataset, rows, plan.seed, plan.batch_size)
        group = Group(model.backbone, [learner], [_start(model, plan, dataset, plan.seed)])
        every = max(1, learner.epoch_steps // plan.looks)
        while not learner.ended:
            group.step([learner])
            if learner.step % every == 0 or learner.ended:
                at = clock.stop()
                points.append((at, group.evaluate(learner, learner.rounded()).value))
                clock.go_on()
    return Curve(tuple(points), memory.extra)


def _full(place: Place, name: str) -> Curve:
    dataset, plan = place.sources.dataset(name), place.plan
    model, _ = place.open([])
    rows = place.rows(dataset, plan.rows)
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


def _one_job(place: Place, which: tuple[int, str]) -> Trained:
    return _jobs_in_turn(place, [which[1]], first=which[0])[1][0]


def _jobs_in_turn(
    place: Place, names: Sequence[str], first: int = 0
) -> tuple[float, list[Trained]]:
    return _jobs(place, names, first, together=False)


def _jobs_in_pass(place: Place, names: Sequence[str]) -> tuple[float, list[Trained]]:
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
        rows = place.rows(dataset, plan.small_rows)
        learners.append(
            _learner(place, model, known[dataset.domain], dataset, rows, seed, plan.small_batch)
        )
        starts.append(_start(model, plan, dataset, seed))
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


def _start(model: Model, plan: TrainingPlan, dataset: Dataset, seed: int) -> AdapterWeights:
    shape = model.backbone.shape
    return random_adapter(
        AdapterShape(shape.layers - model.backbone.split, shape.hidden, plan.rank),
        len(dataset.labels),
        torch.Generator().manual_seed(seed),
    )
