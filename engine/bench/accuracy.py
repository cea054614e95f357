"""`hmi bench accuracy`: adapters trained and served through tables against exact ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from engine.bench.model import Model
from engine.bench.scores import Score
from engine.bench.served import ModelPath, together
from engine.bench.sources import Dataset, Row
from engine.knowledge.retrieve import Damage, Knowledge
from engine.knowledge.retrieved import Lookups
from engine.model.adapters import AdapterWeights
from engine.serving.work import Mode
from engine.training.loop import TrainPlan, TrainReport, train
from engine.training.tasks.classification import Classification

_BATCH = 32
"""Test texts asked at once; the answers do not depend on it."""
_EXACT_ALONE = Damage("This side does without tables.", "", "exact_alone")


@dataclass(frozen=True, slots=True)
class AccuracyPlan:
    """What both sides share; `rows` 0 is all training rows."""

    epochs: int = 3
    lr: float = 2e-3
    batch_size: int = 32
    rank: int = 64
    rows: int = 0
    alpha: float = 0.5
    table_cache: int = 512 << 20


def measure_accuracy(
    model: Model, dataset: Dataset, knowledge: Knowledge, plan: AccuracyPlan, seed: int
) -> Score:
    """Train an adapter for each mode from the same start on the same rows, and ask both about all
    test texts in the mode that they were trained for.

    The exact side learns from exact states alone; the plot side as a vPLM in plot mode does.
    """
    rows = dataset.drawn(plan.rows, seed)
    marks = [time.perf_counter()]
    exact, _ = _side(model, dataset, rows, knowledge, plan, seed, "exact")
    marks.append(time.perf_counter())
    plot, found = _side(model, dataset, rows, knowledge, plan, seed, "plot")
    marks.append(time.perf_counter())
    assert found is not None, "plot mode looks up"
    return Score(
        dataset=dataset.name,
        domain=dataset.domain,
        seed=seed,
        rows=len(rows),
        texts=len(dataset.test),
        exact=exact,
        plot=plot,
        hit_rate=found.hits / found.tokens,
        exact_s=marks[1] - marks[0],
        plot_s=marks[2] - marks[1],
    )


def _side(
    model: Model,
    dataset: Dataset,
    rows: list[Row],
    knowledge: Knowledge,
    plan: AccuracyPlan,
    seed: int,
    mode: Mode,
) -> tuple[float, Lookups | None]:
    # Training takes both kinds of states where the tables can be used, and exact ones where not.
    usable = knowledge if mode == "plot" else replace(knowledge, damage=_EXACT_ALONE)
    trained = train(
        model.backbone,
        usable,
        model.adapter(plan.rank, len(dataset.labels), seed),
        Classification(dataset.labels, rows),
        TrainPlan(plan.epochs, plan.lr, plan.batch_size, seed=seed, mode=mode),
        TrainReport(),
        lambda: None,
        lambda: False,
    )
    return _ask(model, dataset, knowledge, trained, mode)


def _ask(
    model: Model, dataset: Dataset, knowledge: Knowledge, adapter: AdapterWeights, mode: Mode
) -> tuple[float, Lookups | None]:
    """The share of all test texts that a vPLM with `adapter` answers rightly, as it is served."""
    # Through the form in which adapters are stored.
    stored = AdapterWeights.from_arrays(adapter.arrays(), dataset.name)
    path = ModelPath(model.backbone, [stored], dataset.labels, dataset.domain)
    texts = model.rows([text for text, _ in dataset.test])
    right = 0
    found: list[Lookups] = []
    for at in range(0, len(texts), _BATCH):
        answers = path.run(texts[at : at + _BATCH], mode, knowledge)
        for probs, (_, label) in zip(answers.probs, dataset.test[at : at + _BATCH], strict=True):
            right += dataset.labels[int(np.argmax(probs))] == label
        if answers.lookups is not None:
            found.append(answers.lookups)
    return right / len(texts), together(found) if found else None
