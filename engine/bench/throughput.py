"""`hmi bench throughput`: the model path through tables against exact mode, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from engine.bench.model import Model
from engine.bench.plain import PlainTransformers
from engine.bench.served import Answers, ModelPath, together
from engine.bench.sources import Dataset
from engine.bench.speed import COLD, EXACT, TRANSFORMERS, UNCACHED, WARM, DatasetSpeed
from engine.bench.tables import Tables
from engine.knowledge.retrieve import Knowledge, MissPolicy, retrieve
from engine.knowledge.retrieved import Lookups
from engine.model.adapters import AdapterShape, random_adapter

Rows = list[list[int]]
Side = Callable[[Rows], Answers]
_WARM_UP = 2


@dataclass(frozen=True, slots=True)
class ThroughputPlan:
    """`texts` 0 is all; half of them are traffic that passes first, the other half is measured."""

    batch: int = 32
    adapters: int = 32
    rank: int = 64
    texts: int = 0
    repeats: int = 3
    miss: MissPolicy = "compute"
    alpha: float = 0.5
    table_cache: int = 512 << 20
    against: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Measured:
    seconds: float
    answers: Answers


def measure_dataset(
    model: Model,
    tables: Tables,
    dataset: Dataset,
    plan: ThroughputPlan,
    say: Callable[[str], None],
) -> DatasetSpeed:
    """Both modes on the same batches of `dataset`'s test texts."""
    traffic, measured = _halves(model, dataset, plan)
    batches = [measured[i : i + plan.batch] for i in range(0, len(measured), plan.batch)]
    path = _path(model, dataset, plan)
    plain = None
    if TRANSFORMERS in plan.against:
        plain = PlainTransformers(model.backbone, len(dataset.labels), plan.seed)

    def fresh_sides() -> dict[str, Side]:
        """Every pass starts from the same state."""
        warm = tables.knowledge(dataset.domain, plan.table_cache)
        _pass_through(traffic, warm, plan)
        sides: dict[str, Side] = {
            EXACT: lambda rows: path.run(rows, "exact"),
            UNCACHED: _plot(path, tables.knowledge(dataset.domain)),
            COLD: _plot(path, tables.knowledge(dataset.domain, plan.table_cache)),
            WARM: _plot(path, warm),
        }
        if plain is not None:
            sides[TRANSFORMERS] = lambda rows: Answers(plain.run(rows), None, {})
        return sides

    for side in fresh_sides().values():
        for at in range(0, min(len(traffic), _WARM_UP * plan.batch), plan.batch):
            side(traffic[at : at + plan.batch])
    passes: list[dict[str, list[_Measured]]] = []
    for number in range(plan.repeats):
        say(f"{dataset.name}: {len(measured):,} texts, pass {number + 1} of {plan.repeats}")
        passes.append(_pass(batches, fresh_sides()))
    return _summary(dataset, tables, measured, passes)


def _halves(model: Model, dataset: Dataset, plan: ThroughputPlan) -> tuple[Rows, Rows]:
    """Token ids of the texts that pass first, and of those that are measured."""
    order = np.random.default_rng([plan.seed, 5]).permutation(len(dataset.test))
    chosen = order[: plan.texts or len(order)]
    rows = model.rows([dataset.test[i][0] for i in chosen])
    half = len(rows) // 2
    return rows[:half], rows[half:]


def _path(model: Model, dataset: Dataset, plan: ThroughputPlan) -> ModelPath:
    backbone = model.backbone
    shape = AdapterShape(backbone.shape.layers - backbone.split, backbone.shape.hidden, plan.rank)
    generator = torch.Generator().manual_seed(plan.seed)
    adapters = [random_adapter(shape, len(dataset.labels), generator) for _ in range(plan.adapters)]
    return ModelPath(backbone, adapters, dataset.labels, dataset.domain, plan.miss)


def _plot(path: ModelPath, knowledge: Knowledge) -> Side:
    return lambda rows: path.run(rows, "plot", knowledge)


def _pass_through(rows: Rows, knowledge: Knowledge, plan: ThroughputPlan) -> None:
    """Let traffic pass the retrieve stage, which is all that it leaves a trace in."""
    for at in range(0, len(rows), plan.batch):
        part = rows[at : at + plan.batch]
        lengths = np.array([len(row) for row in part], dtype=np.int64)
        ids = np.fromiter((t for row in part for t in row), np.int64, int(lengths.sum()))
        retrieve(ids, lengths, knowledge, plan.miss)


def _pass(batches: Sequence[Rows], sides: dict[str, Side]) -> dict[str, list[_Measured]]:
    """Every side answers every batch; who is first changes from batch to batch."""
    found: dict[str, list[_Measured]] = {name: [] for name in sides}
    names = list(sides)
    for number, rows in enumerate(batches):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            began = time.perf_counter()
            answers = sides[name](rows)
            found[name].append(_Measured(time.perf_counter() - began, answers))
    return found


def _summary(
    dataset: Dataset, tables: Tables, rows: Rows, passes: list[dict[str, list[_Measured]]]
) -> DatasetSpeed:
    batches: dict[str, list[float]] = {}
    lookups: dict[str, Lookups] = {}
    stages: dict[str, dict[str, float]] = {}
    for side in passes[0]:
        by_batch = list(zip(*(each[side] for each in passes), strict=True))
        batches[side] = [median(one.seconds for one in again) for again in by_batch]
        parts = [one.answers.lookups for one in passes[0][side] if one.answers.lookups]
        if parts:
            lookups[side] = together(parts)
        stages[side] = {
            stage: sum(median(one.answers.seconds[stage] for one in again) for again in by_batch)
            for stage in passes[0][side][0].answers.seconds
        }
    return DatasetSpeed(
        dataset=dataset.name,
        domain=dataset.domain,
        texts=len(rows),
        tokens=sum(map(len, rows)),
        entries=tables.knowledge(dataset.domain).view.entries,
        batches=batches,
        lookups=lookups,
        stages=stages,
    )
