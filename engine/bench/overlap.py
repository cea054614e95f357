"""`hmi bench pipeline`: overlapping stages against stages in turn, adapters near and far."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np

from engine.appliance import Appliance
from engine.bench.about import about_run
from engine.bench.document import Document
from engine.bench.ending import throwaway_folder
from engine.bench.sources import Dataset, Sources, open_sources
from engine.bench.subject import Subject
from engine.bench.table import number, share, table
from engine.config import Paths, Settings
from engine.errors import Unavailable
from engine.process import keep_freed_memory, take_short_turns
from engine.schema import (
    ClassifyRequest,
    DomainCreate,
    RebuildRequest,
    TenantCreate,
    VplmBulkCreate,
)

Place = Literal["device", "host", "disk"]
"""Where a request's adapter is when it is asked for."""
PLACES: tuple[Place, ...] = ("device", "host", "disk")
SIDES = ("on", "off")
_TENANTS = 8
_FEW = 8
"""The arena has room for one in so many where adapters are to be missing."""
_WARM_UP = 0.25
_POLL_S = 0.1
_MEANING = """\
on, off   texts a second with stages overlapping and one after the other
device    all adapters have a slot    host  all are in host memory, an eighth have a slot
disk      all are read from their files, an eighth have a slot
Medians over the rounds; vPLMs are asked in turn, so that what was asked last comes last."""


@dataclass(frozen=True, slots=True)
class OverlapPlan:
    """`clients` each wait for an answer before they ask again; `texts` are asked a round."""

    vplms: int = 256
    clients: int = 64
    texts: int = 2000
    rounds: int = 3
    rank: int = 64
    labels: int = 4
    alpha: float = 0.5
    table_cache: int = 512 << 20
    seed: int = 0


@dataclass(frozen=True, slots=True)
class OverlapCell:
    """One place with one side of the comparison."""

    place: Place
    pipeline: str
    texts_per_s: float
    rounds: list[float]
    device_hits: float
    """Share of the adapters that batches found in their slots."""


def run_overlap(
    subject: Subject, plan: OverlapPlan, say: Callable[[str], None]
) -> tuple[Document, str]:
    """The results as a document and a table."""
    sources = open_sources(subject.data, subject.datasets, subject.domains)
    name = next(iter(sources.datasets))
    about = about_run(threads=subject.cores, seed=plan.seed, device=subject.model.device)
    with throwaway_folder() as home:
        cells = measure_overlap(subject, sources, name, plan, home, say)
    settings = asdict(plan) | {"dataset": name}
    return Document("pipeline", about, settings, overlap_results(cells)), render_overlap(cells)


def measure_overlap(
    subject: Subject,
    sources: Sources,
    name: str,
    plan: OverlapPlan,
    home: Path,
    say: Callable[[str], None],
) -> list[OverlapCell]:
    """Serve the same requests by engines that differ in nothing but what is compared."""
    base = Settings(
        paths=Paths.find(home),
        backbone=subject.model.backbone,
        encoder=subject.model.encoder,
        device=subject.model.device,
        threads=subject.threads,
        table_cache=plan.table_cache,
    )
    keep_freed_memory()
    take_short_turns()
    if subject.model.split is not None:
        base = replace(base, split=subject.model.split)
    dataset = sources.dataset(name)
    slot = _create(base, plan, dataset.domain, sources.corpus(dataset.domain))
    caches = {
        "device": (2 << 30, (plan.vplms + _FEW) * slot),
        "host": (2 << 30, plan.vplms // _FEW * slot),
        "disk": (0, plan.vplms // _FEW * slot),
    }
    speeds: dict[tuple[Place, str], list[float]] = {}
    hits: dict[tuple[Place, str], float] = {}
    for number_ in range(plan.rounds):
        for place in PLACES:
            for side in SIDES if number_ % 2 == 0 else reversed(SIDES):
                host, device = caches[place]
                settings = replace(base, pipeline=side, host_cache=host, device_cache=device)
                speed, hit = _serve(settings, dataset, plan)
                speeds.setdefault((place, side), []).append(speed)
                hits[place, side] = hit
                say(f"round {number_ + 1}: {place}, pipeline {side}: {speed:.0f} texts/s")
    return [
        OverlapCell(place, side, median(found), found, hits[place, side])
        for (place, side), found in speeds.items()
    ]


def render_overlap(cells: list[OverlapCell]) -> str:
    of = {(cell.place, cell.pipeline): cell for cell in cells}
    near = of["device", "on"].texts_per_s
    lines = []
    for place in PLACES:
        on, off = of[place, "on"], of[place, "off"]
        lines.append(
            (
                place,
                number(on.texts_per_s, 1),
                number(off.texts_per_s, 1),
                number(on.texts_per_s / off.texts_per_s),
                share(on.texts_per_s / near),
                share(on.device_hits),
            )
        )
    heads = ("ADAPTERS", ">ON/S", ">OFF/S", ">ON/OFF", ">OF ALL ON DEVICE", ">SLOT HITS")
    return f"{table(heads, lines)}\n\n{_MEANING}"


def overlap_results(cells: list[OverlapCell]) -> dict[str, Any]:
    return {"cells": [asdict(cell) for cell in cells], "meaning": _MEANING}


@contextmanager
def _engine(settings: Settings) -> Iterator[Appliance]:
    """One that serves in this process, whose collector leaves it alone as an engine's does."""
    appliance = Appliance(settings)
    appliance.start()
    gc.freeze()
    try:
        yield appliance
    finally:
        appliance.close()
        gc.unfreeze()


def _create(settings: Settings, plan: OverlapPlan, domain: str, corpus: list[str]) -> int:
    """The domain with its table, the vPLMs, and the bytes of a slot."""
    with _engine(settings) as appliance:
        if domain not in {each.name for each in appliance.domains().data}:
            appliance.create_domain(DomainCreate(name=domain))
        appliance.put_corpus(domain, (f"{line}\n".encode() for line in corpus))
        _await(appliance, appliance.rebuild_domain(domain, RebuildRequest(alpha=plan.alpha)).id)
        each = -(-plan.vplms // _TENANTS)
        labels = [f"l{i}" for i in range(plan.labels)]
        for tenant in range(_TENANTS):
            name = f"t{tenant}"
            appliance.create_tenant(TenantCreate(name=name))
            appliance.create_vplms(
                VplmBulkCreate(
                    tenant=name,
                    name="m",
                    count=each,
                    labels=labels,
                    domain=domain,
                    rank=plan.rank,
                )
            )
        model = appliance.models().data[0].id
        asyncio.run(appliance.classify(ClassifyRequest(model=model, input="a text")))
        device = appliance.status().tiers["device"]
        return device.bytes // device.resident


def _await(appliance: Appliance, job: str) -> None:
    while (found := appliance.job(job)).state in ("queued", "running"):
        time.sleep(_POLL_S)
    if found.state != "succeeded":
        raise Unavailable(f"The table was not built: {found.error}")


def _serve(settings: Settings, dataset: Dataset, plan: OverlapPlan) -> tuple[float, float]:
    """Texts a second, and the share of adapters found in slots."""
    with _engine(settings) as appliance:
        asyncio.run(_ask(appliance, dataset, plan, int(plan.texts * _WARM_UP)))
        before = appliance.status().tiers["device"]
        seconds = asyncio.run(_ask(appliance, dataset, plan, plan.texts))
        after = appliance.status().tiers["device"]
        hits, misses = after.hits - before.hits, after.misses - before.misses
        return plan.texts / seconds, hits / max(1, hits + misses)


async def _ask(appliance: Appliance, dataset: Dataset, plan: OverlapPlan, texts: int) -> float:
    requests = islice(_requests(appliance, dataset, plan), texts)
    began = time.perf_counter()

    async def client() -> None:
        for request in requests:
            await appliance.classify(request)

    await asyncio.gather(*(client() for _ in range(plan.clients)))
    return time.perf_counter() - began


def _requests(
    appliance: Appliance, dataset: Dataset, plan: OverlapPlan
) -> Iterator[ClassifyRequest]:
    rng = np.random.default_rng(plan.seed)
    models = [model.id for model in appliance.models().data]
    order = rng.permutation(len(models)).tolist()
    texts = [dataset.test[i][0] for i in rng.permutation(len(dataset.test)).tolist()]
    at = 0
    while True:
        yield ClassifyRequest(model=models[order[at % len(order)]], input=texts[at % len(texts)])
        at += 1
