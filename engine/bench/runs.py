"""The runs over datasets: open the model, build the tables, measure, keep what is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from engine.bench.about import About, about_run
from engine.bench.accuracy import AccuracyPlan
from engine.bench.accuracy_run import Site, Task, in_order, resumed, run_tasks, settings_of, told
from engine.bench.document import Document, write_document
from engine.bench.duels import Company, Duel, render_training, training_results
from engine.bench.ending import throwaway_folder
from engine.bench.model import Model, open_model
from engine.bench.scores import render_scores, score_results
from engine.bench.sources import Sources, open_sources
from engine.bench.speed import DatasetSpeed, render_speed, speed_results
from engine.bench.subject import Subject
from engine.bench.tables import Tables
from engine.bench.throughput import ThroughputPlan, measure_dataset
from engine.bench.training import Place, TrainingPlan
from engine.bench.training_run import measure_company, measure_duel
from engine.errors import BadInput, Conflict

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Repeats:
    """Which seeds, how many at a time, and whether to go on with an earlier run."""

    seeds: range
    jobs: int = 1
    resume: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What a run stands on."""

    model: Model
    sources: Sources
    about: About


def run_throughput(
    subject: Subject, plan: ThroughputPlan, out: Path | None, say: Say
) -> tuple[Document, str]:
    """Measure dataset after dataset; `out` has those that are done."""
    ground = _open(subject, plan.seed)
    settings = asdict(plan) | ground.model.identity()
    found: list[DatasetSpeed] = []

    def document() -> Document:
        return Document("throughput", ground.about, settings, speed_results(found))

    domains = _domains(ground.sources, ground.sources.datasets)
    with _tables(ground, domains, plan.alpha, say) as (tables, _):
        for name in ground.sources.datasets:
            dataset = ground.sources.dataset(name)
            one = measure_dataset(ground.model, tables, dataset, plan, say)
            found.append(one)
            say(
                f"{name}: exact {one.texts_per_s('exact'):.1f} texts/s, "
                f"cold {one.ratio('cold'):.2f} times, warm {one.ratio('warm'):.2f} times"
            )
            if out is not None:
                write_document(document(), out)
    return document(), render_speed(found)


def run_accuracy(
    subject: Subject, plan: AccuracyPlan, repeats: Repeats, out: Path | None, say: Say
) -> tuple[Document, str]:
    """Measure every dataset and seed; `out` has those that are done.

    Conflict if `out` is there and is not to be resumed: it may be hours of work.
    """
    _check_out(out, repeats)
    threads = subject.threads or max(1, subject.cores // repeats.jobs)
    ground = _open(replace(subject, threads=threads), repeats.seeds.start)
    settings = settings_of(ground.model, plan)
    scores = resumed(out, settings) if out is not None and out.exists() else []
    done = {(score.dataset, score.seed) for score in scores}
    tasks: list[Task] = [
        (name, seed)
        for seed in repeats.seeds
        for name in ground.sources.datasets
        if (name, seed) not in done
    ]

    def document() -> Document:
        kept = in_order(scores, ground.sources)
        about = settings | {"jobs": repeats.jobs}
        return Document("accuracy", ground.about, about, score_results(kept))

    domains = _domains(ground.sources, [name for name, _ in tasks])
    with _tables(ground, domains, plan.alpha, say) as (tables, folder):
        site = Site(subject.model, ground.sources, folder, domains, plan, threads)
        began = time.perf_counter()
        for number, score in enumerate(run_tasks(site, tasks, repeats.jobs, ground.model, tables)):
            scores.append(score)
            say(told(score, number + 1, len(tasks), began))
            if out is not None:
                write_document(document(), out)
    return document(), render_scores(in_order(scores, ground.sources))


def run_training(
    subject: Subject, plan: TrainingPlan, out: Path | None, say: Say
) -> tuple[Document, str]:
    """Measure dataset after dataset, then many small jobs; `out` has what is done."""
    ground = _open(subject, plan.seed)
    settings = asdict(plan) | ground.model.identity()
    duels: list[Duel] = []
    company: Company | None = None

    def document() -> Document:
        return Document("training", ground.about, settings, training_results(duels, company))

    names = list(ground.sources.datasets)
    domains = _domains(ground.sources, names)
    with _tables(ground, domains, plan.alpha, say) as (_, folder):
        place = Place(subject.model, ground.sources, folder, plan, subject.cores)
        if plan.jobs > 1:
            company = measure_company(place, names)
            say(
                f"{company.jobs} jobs: one after the other {company.in_turn_s:.1f} s, in one pass "
                f"{company.pass_s:.1f} s"
            )
        for name in names if plan.looks else ():
            duel = measure_duel(place, name)
            duels.append(duel)
            say(f"{name}: {duel.time:.0%} of the time, {duel.memory:.0%} of the memory")
            if out is not None:
                write_document(document(), out)
    return document(), render_training(duels, company)


def _open(subject: Subject, seed: int) -> _Ground:
    sources = open_sources(subject.data, subject.datasets, subject.domains)
    torch.set_num_threads(subject.cores)
    model = open_model(subject.model)
    about = about_run(threads=subject.cores, seed=seed, device=model.device, dtype=model.dtype)
    return _Ground(model, sources, about)


def _domains(sources: Sources, datasets: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({sources.datasets[name].domain for name in datasets}))


@contextmanager
def _tables(
    ground: _Ground, domains: tuple[str, ...], alpha: float, say: Say
) -> Iterator[tuple[Tables, Path]]:
    """The tables of `domains`, and the folder they are in, for as long as it lasts."""
    with throwaway_folder() as folder:
        tables = Tables(folder, ground.model)
        if domains:
            tables.build(ground.sources, domains, alpha, say)
        yield tables, folder


def _check_out(out: Path | None, repeats: Repeats) -> None:
    if repeats.resume and out is None:
        raise BadInput("There is nothing to resume.", remedy="Name the results with --out FILE.")
    if out is not None and out.exists() and not repeats.resume:
        raise Conflict(
            f"{out} is there already.",
            remedy="Go on with it (--resume), or name another file with --out.",
        )
