"""Batches of 32 distinct vPLMs: ours against the peers, on the same texts in one run.

    python -m tests.benchmarks.peers --data DIR --venvs DIR

Same backbone weights, dtype, threads and token ids; the sides take turns batch by batch. Peers run
as processes in environments of their own, which are made on first use (some gigabytes). Their
adapters sit in the same upper layers as ours, with about as many parameters. With `--clock cpu`
the CPU's seconds count instead of the wall's: for one thread on a machine that others use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import click
import torch

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order, throwaway_folder
from engine.bench.model import Model, open_model
from engine.bench.sources import Dataset, open_sources
from engine.bench.subject import ModelChoice
from engine.bench.table import number, table
from engine.bench.tables import Tables
from engine.bench.throughput import ThroughputPlan, _halves, _pass_through, _path
from tests.benchmarks.peers.environments import PEERS, NotInstalled, python_of
from tests.benchmarks.peers.process import PeerProcess

FOLDER = click.Path(file_okay=False, path_type=Path)
BATCH = 32
OURS = ("warm", "cold", "exact")
_WARM_UP = 2
_CACHE = 512 << 20

Rows = Sequence[list[int]]
Side = Callable[[Rows], float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One dataset: by side, the sum over batches of each one's median over the passes."""

    dataset: str
    texts: int
    tokens: int
    seconds: dict[str, float]

    def times(self, side: str, ours: str) -> float | None:
        """How many times as fast as the peer `side` ours is."""
        return self.seconds[side] / self.seconds[ours] if side in self.seconds else None


@dataclass(frozen=True, slots=True)
class Choice:
    threads: int
    batches: int
    passes: int
    clock: str
    seed: int = 0


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--datasets", default="sst2,trec6,ag_news", show_default=True)
@click.option("--venvs", type=FOLDER, required=True, help="Where environments are made and kept.")
@click.option("--batches", type=click.IntRange(1), default=8, show_default=True)
@click.option("--passes", type=click.IntRange(1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@click.option("--clock", type=click.Choice(["wall", "cpu"]), default="wall", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write JSON here.")
def main(data: Path | None, datasets: str, venvs: Path, out: Path | None, **choices: Any) -> None:
    """How many times as fast as each peer the model path is, warm and cold."""
    end_in_order()
    if out is not None:
        check_writable(out)
    choice = Choice(**choices)
    torch.set_num_threads(choice.threads)
    model = open_model(ModelChoice())
    sources = open_sources(data, () if data is None else tuple(datasets.split(",")), {})
    pythons, absent = _environments(venvs)
    found: list[Measured] = []
    about = about_run(threads=choice.threads, seed=choice.seed, dtype=model.dtype)
    with throwaway_folder() as folder:
        tables = Tables(folder, model)
        domains = tuple(sorted({files.domain for files in sources.datasets.values()}))
        tables.build(sources, domains, 0.5, _say)
        chosen = [sources.dataset(name) for name in sources.datasets]
        peers = _Peers(pythons, model, chosen, choice)
        absent |= peers.absent
        try:
            for dataset in chosen:
                found.append(measure(model, tables, dataset, peers, choice))
                if out is not None:
                    results = {"datasets": [asdict(one) for one in found], "absent": absent}
                    settings = asdict(choice) | {"batch": BATCH, "versions": peers.versions}
                    write_document(Document("peers", about, settings, results), out)
        finally:
            peers.close()
    click.echo(f"{about.line()}\n\n{render(found, absent, choice)}")


class _Peers:
    """The peers' processes; `absent` says why some are not there."""

    def __init__(
        self, pythons: dict[str, Path], model: Model, datasets: list[Dataset], choice: Choice
    ) -> None:
        self.absent: dict[str, str] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.running: dict[str, PeerProcess] = {}
        backbone = model.backbone
        order: dict[str, Any] = {
            "checkpoint": str(backbone.checkpoint.folder),
            "dtype": model.dtype,
            "split": backbone.split,
            "hidden": backbone.shape.hidden,
            "tenants": BATCH,
            "labels": max(len(dataset.labels) for dataset in datasets),
            "sample": model.rows([datasets[0].test[0][0]])[0],
            "threads": choice.threads,
            "clock": choice.clock,
            "seed": choice.seed,
        }
        for peer in PEERS:
            if peer.name not in pythons:
                continue
            try:
                process = PeerProcess(pythons[peer.name], order | {"peer": peer.name})
            except NotInstalled as why:
                self.absent[peer.name] = str(why)
                continue
            self.running[peer.name] = process
            self.versions[peer.name] = process.versions
            wanted = BATCH if peer.mixes else 1
            if process.distinct != wanted:
                raise click.ClickException(
                    f"{peer.name} gave {process.distinct} distinct answers for {wanted} tenants."
                )

    def close(self) -> None:
        for process in self.running.values():
            process.close()


def measure(
    model: Model, tables: Tables, dataset: Dataset, peers: _Peers, choice: Choice
) -> Measured:
    """Every side answers every batch of the same test texts."""
    plan = ThroughputPlan(batch=BATCH, adapters=BATCH, seed=choice.seed)
    traffic, rows = _halves(model, dataset, plan)
    batches = [rows[i : i + BATCH] for i in range(0, len(rows) - BATCH + 1, BATCH)]
    batches = batches[: choice.batches]
    path = _path(model, dataset, plan)
    clock = time.process_time if choice.clock == "cpu" else time.perf_counter
    spent: dict[str, list[list[float]]] = {}

    def ours(run: Callable[[Rows], object]) -> Side:
        def side(some: Rows) -> float:
            began = clock()
            run(some)
            return clock() - began

        return side

    for turn in range(choice.passes):
        _say(f"{dataset.name}: {len(batches)} batches, pass {turn + 1} of {choice.passes}")
        warm = tables.knowledge(dataset.domain, _CACHE)
        cold = tables.knowledge(dataset.domain, _CACHE)
        _pass_through(traffic, warm, plan)
        sides: dict[str, Side] = {
            "warm": ours(partial(path.run, mode="plot", knowledge=warm)),
            "cold": ours(partial(path.run, mode="plot", knowledge=cold)),
            "exact": ours(partial(path.run, mode="exact")),
            **{name: process.seconds for name, process in peers.running.items()},
        }
        if turn == 0:
            for name, side in sides.items():
                if name != "cold":
                    for some in batches[:_WARM_UP]:
                        side(some)
        _take_turns(sides, batches, spent)
    return Measured(
        dataset.name,
        BATCH * len(batches),
        sum(len(row) for batch in batches for row in batch),
        {side: sum(median(again) for again in by_batch) for side, by_batch in spent.items()},
    )


def _take_turns(
    sides: dict[str, Side], batches: list[list[list[int]]], spent: dict[str, list[list[float]]]
) -> None:
    """Who is first changes from batch to batch."""
    names = list(sides)
    for index, rows in enumerate(batches):
        turn = index % len(names)
        for name in (*names[turn:], *names[:turn]):
            by_batch = spent.setdefault(name, [[] for _ in batches])
            by_batch[index].append(sides[name](rows))


def render(found: Sequence[Measured], absent: dict[str, str], choice: Choice) -> str:
    """A row a peer: texts a second, and ours over theirs, by dataset and their mean."""
    heads = ["", *(f">{one.dataset.upper()}/S" for one in found), ">X WARM", ">X COLD"]
    lines = []
    for side in (*OURS, *(peer.name for peer in PEERS)):
        if side in absent:
            lines.append([side, *("-" for _ in found), "-", f"not there: {absent[side]}"])
            continue
        times = [[one.times(side, ours) or 0.0 for one in found] for ours in ("warm", "cold")]
        speeds = (number(one.texts / one.seconds[side], 1) for one in found)
        lines.append([side, *speeds, *(number(fmean(each)) for each in times)])
    note = f"X: its seconds ({choice.clock} clock) over ours, mean of the datasets"
    return f"{table(heads, lines)}\n\n{note}"


def _environments(venvs: Path) -> tuple[dict[str, Path], dict[str, str]]:
    venvs.mkdir(parents=True, exist_ok=True)
    pythons: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for peer in PEERS:
        try:
            pythons[peer.name] = python_of(peer, venvs, _say)
        except NotInstalled as why:
            absent[peer.name] = str(why)
    return pythons, absent


def _say(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main(prog_name="peers")
