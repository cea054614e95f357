"""Held-out accuracy through POST /v1/classify, plot and exact, alone and in mixed batches.

Against a running engine, as an operator's own program would do it:

    hmi serve --home H &
    python -m tests.benchmarks.accuracy_over_api --data DIR --home H

For each dataset it builds the domain from its corpus, creates a vPLM, trains it, and asks for the
whole test set in batches of 32 in both modes. Then all vPLMs are asked at once, so that every
batch of the engine mixes them, and the answers are compared with those each gave alone.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from engine.client import AsyncClient, Client, Conflict, Paths
from engine.schema import TrainRequest, VplmCreate

TENANT = "acme"
BATCH = 32
PLACES = {
    "sst2": ("polarity", "reviews"),
    "ag_news": ("topics", "news"),
    "trec6": ("questions", "intents"),
}
"""For each dataset the vPLM's name and the domain, which has its corpus' name."""

Mode = Literal["plot", "exact"]
Answers = list[tuple[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    train: Path
    texts: list[str]
    labels: list[str]
    classes: list[str]


def read(folder: Path, name: str) -> Dataset:
    train = folder / name / "train.jsonl.gz"
    with gzip.open(train, "rt", encoding="utf-8") as file:
        classes = sorted({json.loads(line)["label"] for line in file})
    with gzip.open(folder / name / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return Dataset(name, train, [r["text"] for r in rows], [r["label"] for r in rows], classes)


def prepare(client: Client, data: Path, dataset: Dataset, epochs: int) -> dict[str, Any]:
    """Domain, vPLM and training, unless an earlier run did it."""
    name, domain = PLACES[dataset.name]
    model = f"{TENANT}/{name}"
    if domain not in {d.name for d in client.domains().data}:
        client.create_domain(domain)
    if client.domain(domain).epoch == 0:
        client.put_corpus(domain, data / "corpora" / f"{domain}.txt.gz")
        _wait(client, client.rebuild_domain(domain).id)
    if client.vplms(q=model, tenant=TENANT).total == 0:
        client.create_vplm(
            VplmCreate(tenant=TENANT, name=name, labels=dataset.classes, domain=domain)
        )
    vplm = client.vplm(model)
    if vplm.version == 1:
        client.put_dataset(TENANT, name, dataset.train)
        job = client.train(TrainRequest(vplm=model, dataset=name, epochs=epochs)).id
        _wait(client, job)
        vplm = client.vplm(model)
    return {"model": model, "held_out": vplm.accuracy}


def _wait(client: Client, job: str) -> None:
    last = ""
    for state in client.watch_job(job):
        if state.message != last:
            last = state.message
            click.echo(f"  {state.subject}: {state.progress:4.0%} {last}", err=True)
        if state.state in ("failed", "cancelled"):
            raise SystemExit(f"{state.id} {state.state}: {state.error or state.message}")


async def ask(client: AsyncClient, model: str, texts: list[str], mode: Mode) -> tuple[Answers, Any]:
    """All texts in batches, one after the other; answers and the mean hit rate."""
    answers: Answers = []
    hits: list[float] = []
    for start in range(0, len(texts), BATCH):
        got = await client.classify(model, texts[start : start + BATCH], mode)
        answers += [(p.label, list(p.probs)) for p in got.data]
        if got.timing.hit_rate is not None:
            hits.append(got.timing.hit_rate)
    return answers, sum(hits) / len(hits) if hits else None


def accuracy(answers: Answers, labels: list[str]) -> float:
    return sum(a == b for (a, _), b in zip(answers, labels, strict=True)) / len(labels)


def furthest(one: Answers, other: Answers) -> tuple[int, float]:
    """How many labels differ, and the largest difference of a probability."""
    labels = sum(a != b for (a, _), (b, _) in zip(one, other, strict=True))
    gap = max(
        abs(x - y)
        for (_, p), (_, q) in zip(one, other, strict=True)
        for x, y in zip(p, q, strict=True)
    )
    return labels, gap


async def measure(paths: Paths, datasets: list[Dataset], models: list[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with AsyncClient(paths=paths, timeout=600) as client:
        alone: dict[tuple[str, Mode], Answers] = {}
        for dataset, model in zip(datasets, models, strict=True):
            row: dict[str, Any] = {"dataset": dataset.name, "texts": len(dataset.texts)}
            for mode in ("exact", "plot"):
                side: Mode = "exact" if mode == "exact" else "plot"
                began = time.perf_counter()
                answers, hits = await ask(client, model, dataset.texts, side)
                row[f"{mode}_texts_per_s"] = len(answers) / (time.perf_counter() - began)
                row[mode] = accuracy(answers, dataset.labels)
                alone[model, side] = answers
                row["hit_rate"] = hits if hits is not None else row.get("hit_rate")
            row["gap_points"] = 100 * (row["exact"] - row["plot"])
            rows.append(row)
        for mode in ("exact", "plot"):
            side = "exact" if mode == "exact" else "plot"
            mixed = await asyncio.gather(
                *(ask(client, m, d.texts, side) for d, m in zip(datasets, models, strict=True))
            )
            for row, model, (answers, _) in zip(rows, models, mixed, strict=True):
                labels, gap = furthest(alone[model, side], answers)
                row[f"{mode}_mixed_other_labels"] = labels
                row[f"{mode}_mixed_furthest_prob"] = gap
    return rows


@click.command()
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True
)
@click.option("--home", type=click.Path(path_type=Path), default=None)
@click.option("--datasets", default="sst2,ag_news,trec6", show_default=True)
@click.option("--epochs", type=int, default=3, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(data: Path, home: Path | None, datasets: str, epochs: int, out: Path | None) -> None:
    """Accuracy of served vPLMs on the datasets in --data."""
    paths = Paths.find(home)
    sets = [read(data, name) for name in datasets.split(",")]
    with Client(paths=paths, timeout=600) as client:
        try:
            client.create_tenant(TENANT)
        except Conflict:
            click.echo(f"tenant {TENANT} is there already", err=True)
        prepared = [prepare(client, data, each, epochs) for each in sets]
        status = client.status()
    rows = asyncio.run(measure(paths, sets, [p["model"] for p in prepared]))
    backbone = status.backbone
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": status.host.threads,
        "dtype": backbone.dtype if backbone else "",
        "epochs": epochs,
        "seed": 0,
        "date": time.strftime("%Y-%m-%d"),
    }
    click.echo(f"{about}")
    head = "dataset    texts   exact    plot   gap  hit rate  exact/s  plot/s  mixed: labels, prob"
    click.echo(head)
    for r in rows:
        labels = r["exact_mixed_other_labels"] + r["plot_mixed_other_labels"]
        gap = max(r["exact_mixed_furthest_prob"], r["plot_mixed_furthest_prob"])
        click.echo(
            f"{r['dataset']:9}  {r['texts']:5}  {r['exact']:.4f}  {r['plot']:.4f}  "
            f"{r['gap_points']:4.1f}  {r['hit_rate'] or 0:8.2f}  {r['exact_texts_per_s']:7.1f}  "
            f"{r['plot_texts_per_s']:6.1f}  {labels:13d}, {gap:.1e}"
        )
    if out is not None:
        out.write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
