"""What a training does to those who are served meanwhile, on an engine of its own.

    python -m tests.benchmarks.beside_training --data DIR --datasets sst2,trec6 --rate 20

The same load alone and beside a job by turns: how far its p99 moves. Then a job for idle time: it
must not begin under load, begin once that has gone, stand still within a second of its return, and
end. Standing still is seen in the training process's seconds of CPU, not in what the job says.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click
import psutil

from engine.bench.about import about_run
from engine.bench.own_engine import OwnEngine, own_engine, run_load
from engine.bench.population import Population, build_domains, create_vplms, write_texts
from engine.bench.sources import Dataset, open_sources
from engine.bench.table import table
from engine.client import Client, HmiError, Unavailable
from engine.schema import Job, TrainRequest, VplmCreate

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
PUPIL = "trainee/pupil"
"""Sorts behind the tenants that are asked, so that the load does not reach it."""
_LOOK_S = 0.02
_PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Latencies in seconds; `steps` are those that the job made meanwhile."""

    p50: float
    p99: float
    failed: int
    steps: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """An engine with vPLMs to ask and one to train."""

    engine: OwnEngine
    load: list[str]
    """Flags of `hmi load`."""

    @property
    def client(self) -> Client:
        return self.engine.client

    def turn(self, job: str | None = None) -> Turn:
        """Put the load on, beside `job` if there is one, which must last."""
        before = 0 if job is None else _steps(self.client.job(job))
        told = json.loads(run_load(self.engine.paths, self.load))
        latency, failed = told["latency_s"], sum(told["errors"].values())
        if job is None:
            return Turn(latency["p50"], latency["p99"], failed)
        found = self.client.job(job)
        if found.ended:
            raise Unavailable(
                f"The job {found.state} before the load was over: {found.message}",
                remedy="Give more --epochs, or fewer --seconds.",
            )
        return Turn(latency["p50"], latency["p99"], failed, _steps(found) - before)

    def train(self, epochs: int, when: str = "now") -> str:
        request = {"vplm": PUPIL, "dataset": "rows", "epochs": epochs, "when": when, "force": True}
        return self.client.train(TrainRequest.model_validate(request)).id

    def until(self, job: str, true: Callable[[Job], bool], what: str) -> float:
        """Seconds until the job is so. Unavailable if that takes too long."""
        began = time.perf_counter()
        while not true(found := self.client.job(job)):
            if found.ended or time.perf_counter() - began > _PATIENCE_S:
                raise Unavailable(f"The job never {what}; it is {found.state}: {found.message}")
            time.sleep(_LOOK_S)
        return time.perf_counter() - began

    def learning_s(self) -> float:
        """Seconds of CPU of the training process so far."""
        total = 0.0
        for child in self.engine.process.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        return total


def _steps(job: Job) -> int:
    return job.loss[-1].step if job.loss else 0


@contextmanager
def asking(engine: OwnEngine, models: list[str], texts: list[str]) -> Iterator[None]:
    """One program that asks again as soon as it has its answer."""
    over, failed = threading.Event(), list[HmiError]()

    def ask() -> None:
        try:
            with Client(paths=engine.paths) as client:
                for model, text in zip(itertools.cycle(models), itertools.cycle(texts)):
                    if over.is_set():
                        return
                    client.classify(model, [text])
        except HmiError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if failed:
        raise failed[0]


def beside(scene: Scene, rounds: int, epochs: int) -> tuple[list[Turn], list[Turn]]:
    """By turns, so that what else the machine does meets both."""
    alone, company = [], []
    for _ in range(rounds):
        alone.append(scene.turn())
        job = scene.train(epochs)
        scene.until(job, lambda found: bool(found.loss), "began to learn")
        company.append(scene.turn(job))
        scene.client.cancel_job(job)
        scene.until(job, lambda found: found.ended, "ended")
    return alone, company


def for_idle_time(scene: Scene, models: list[str], texts: list[str], epochs: int) -> Iterator[str]:
    """What a job for idle time does, a line each, as it is seen."""
    with asking(scene.engine, models, texts):
        time.sleep(2.0)
        job = scene.train(epochs, when="idle")
        time.sleep(8.0)
        held = scene.client.job(job)
    yield f"under load for 8 s: {held.state}, {_steps(held)} steps"
    began = scene.until(job, lambda found: bool(found.loss), "began to learn")
    yield f"load gone: its first steps came after {began:.1f} s"
    with asking(scene.engine, models, texts):
        yielded = scene.until(job, lambda found: found.message.startswith("waits"), "yielded")
        time.sleep(max(0.0, 1.0 - yielded))
        before = scene.learning_s()
        time.sleep(5.0)
        spent = scene.learning_s() - before
    yield f"load back: it said that it waits after {yielded:.2f} s"
    yield f"from one second after its return on: {spent:.2f} s of CPU in 5 s"
    rest = scene.until(job, lambda found: found.ended, "ended")
    found = scene.client.job(job)
    yield f"load gone again: it {found.state} after {rest:.0f} s, {found.message}"


def prepare(client: Client, dataset: Dataset, rows: int, folder: Path) -> None:
    """The vPLM that learns, and what it learns from."""
    tenant, _, name = PUPIL.partition("/")
    client.create_tenant(tenant)
    labels = list(dataset.labels)
    client.create_vplm(VplmCreate(tenant=tenant, name=name, labels=labels, domain=dataset.domain))
    path = folder / "rows.jsonl"
    lines = [json.dumps({"text": text, "label": label}) for text, label in dataset.train[:rows]]
    path.write_text("\n".join(lines), encoding="utf-8")
    client.put_dataset(tenant, "rows", path)


@click.command()
@click.option("--data", type=FOLDER, default=None, help="Else the project's own texts.")
@click.option("--datasets", default="", help="Only these, A,B; the first of them is learnt.")
@click.option("--tenants", type=int, default=100, show_default=True)
@click.option("--each", type=int, default=10, show_default=True, help="vPLMs of a tenant.")
@click.option("--rate", type=float, default=20.0, show_default=True, help="Requests a second.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Of each turn.")
@click.option("--rounds", type=int, default=2, show_default=True)
@click.option("--rows", type=int, default=1000, show_default=True, help="Of the dataset.")
@click.option("--epochs", type=int, default=200, show_default=True, help="Enough to last a turn.")
@click.option("--idle-epochs", type=int, default=20, show_default=True)
@click.option("--threads", type=int, default=0, help="The engine's; 0 is one a core.")
def main(
    data: Path | None,
    datasets: str,
    tenants: int,
    each: int,
    rate: float,
    seconds: float,
    rounds: int,
    rows: int,
    epochs: int,
    idle_epochs: int,
    threads: int,
) -> None:
    """p99 beside a job against p99 alone, and how a job for idle time keeps out of the way."""
    sources = open_sources(data, tuple(filter(None, datasets.split(","))), {})
    with tempfile.TemporaryDirectory(prefix="hmi") as name:
        folder = Path(name)
        write_texts(sources, folder / "texts.txt")
        texts = (folder / "texts.txt").read_text(encoding="utf-8").splitlines()
        with own_engine(folder / "h", ["--threads", str(threads)]) as engine:
            client = engine.client
            domains = build_domains(client, sources, click.echo)
            create_vplms(client, Population(tenants, each), domains, click.echo)
            prepare(client, sources.dataset(next(iter(sources.datasets))), rows, folder)
            flags = [
                *("--text", str(folder / "texts.txt"), "--rate", str(rate), "--json"),
                *("--duration", str(seconds), "--tenants", str(tenants)),
            ]
            scene = Scene(engine, flags)
            alone, company = beside(scene, rounds, epochs)
            click.echo("\n" + about_run(threads=threads, seed=0).line() + "\n")
            click.echo(_compared(alone, company) + "\n")
            models = [f"tenant-{i:05d}/m-00001" for i in range(tenants)]
            for line in for_idle_time(scene, models, texts, idle_epochs):
                click.echo(line)


def _compared(alone: list[Turn], company: list[Turn]) -> str:
    lines = [
        (
            str(number),
            *(f"{1e3 * one.p50:.0f}" for one in (quiet, busy)),
            *(f"{1e3 * one.p99:.0f}" for one in (quiet, busy)),
            f"{busy.p99 / quiet.p99:.2f}",
            str(quiet.failed + busy.failed),
            str(busy.steps),
        )
        for number, (quiet, busy) in enumerate(zip(alone, company, strict=True), 1)
    ]
    heads = (
        *(">ROUND", ">P50 ALONE", ">P50 BESIDE", ">P99 ALONE", ">P99 BESIDE"),
        *(">TIMES", ">FAILED", ">STEPS"),
    )
    times = median(one.p99 for one in company) / median(one.p99 for one in alone)
    return f"{table(heads, lines)}\n\np99 beside a job: {times:.2f} times (medians)"


if __name__ == "__main__":
    main()
