"""All datasets and seeds of an accuracy run, in one process or several, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from engine.bench.accuracy import AccuracyPlan, measure_accuracy
from engine.bench.crew import Crew
from engine.bench.document import read_document
from engine.bench.model import Model, open_model
from engine.bench.scores import Score, scores_of
from engine.bench.sources import Sources
from engine.bench.subject import ModelChoice
from engine.bench.tables import Tables
from engine.errors import BadInput, Damaged

Task = tuple[str, int]
"""A dataset and a seed."""


@dataclass(frozen=True, slots=True)
class Site:
    """All that a process needs to measure; the tables of `domains` are built, in `folder`."""

    choice: ModelChoice
    sources: Sources
    folder: Path
    domains: tuple[str, ...]
    plan: AccuracyPlan
    threads: int

    def __call__(self) -> Callable[[Task], Score]:
        """Open it in the process that measures."""
        torch.set_num_threads(self.threads)
        model = open_model(self.choice)
        tables = Tables(self.folder, model)
        tables.open(self.domains)
        return self.measurer(model, tables)

    def measurer(self, model: Model, tables: Tables) -> Callable[[Task], Score]:
        """What measures one task after the other."""
        # One cache a domain for all its tasks: a row is the same whoever asks.
        knowledge = {name: tables.knowledge(name, self.plan.table_cache) for name in self.domains}

        def measure(task: Task) -> Score:
            dataset = self.sources.dataset(task[0])
            return measure_accuracy(model, dataset, knowledge[dataset.domain], self.plan, task[1])

        return measure


def settings_of(model: Model, plan: AccuracyPlan) -> dict[str, Any]:
    """What all scores of a document share."""
    return asdict(plan) | model.identity()


def resumed(out: Path, settings: dict[str, Any]) -> list[Score]:
    """The scores that `out` has. BadInput if they were measured with other `settings`."""
    document = read_document(out, "accuracy")
    try:
        scores, theirs = scores_of(document["results"]), dict(document["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(
            f"{out} cannot be resumed: {error}.", remedy="Name another file with --out."
        ) from error
    other = [name for name, value in settings.items() if theirs.get(name) != value]
    if other:
        shown = ", ".join(f"{name} {theirs.get(name)} and not {settings[name]}" for name in other)
        raise BadInput(
            f"{out} was measured with {shown}.",
            remedy="Resume with the same settings, or name another file with --out.",
        )
    return scores


def run_tasks(
    site: Site, tasks: list[Task], jobs: int, model: Model, tables: Tables
) -> Iterator[Score]:
    """Scores as they come; in this process unless `jobs` is more than one."""
    if jobs == 1 or len(tasks) == 1:
        yield from map(site.measurer(model, tables), tasks)
        return
    with Crew(min(jobs, len(tasks)), site) as crew:
        yield from crew.run(tasks)


def in_order(scores: list[Score], sources: Sources) -> list[Score]:
    """By dataset as in the sources, those that are only in a resumed document last, then seed."""
    place = {name: i for i, name in enumerate(sources.datasets)}
    return sorted(scores, key=lambda s: (place.get(s.dataset, len(place)), s.dataset, s.seed))


def told(score: Score, done: int, total: int, began: float) -> str:
    """A line of progress; `done` of `total` since `began` (perf_counter)."""
    left = (time.perf_counter() - began) / done * (total - done)
    return (
        f"{score.dataset} seed {score.seed}: exact {score.exact:.4f}, plot {score.plot:.4f}, gap "
        f"{score.gap:.2f} points, {score.exact_s + score.plot_s:.0f} s; {done} of {total}, "
        f"about {left / 60:.0f} min to go"
    )
