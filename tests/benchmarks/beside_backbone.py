"""What a second backbone in memory costs those who ask the engine's own.

    python -m tests.benchmarks.beside_backbone

One engine on the bundled backbone, and a random one of its shape imported beside it. In turn, a few
times over: requests to a vPLM of the own backbone while it alone is loaded, while the second is
loaded and rests, and while the second is asked as well. Latency of each, one request at a time, and
what the second takes in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from transformers import BertConfig, BertModel

from engine.appliance import Appliance
from engine.bench.about import about_run
from engine.bench.sources import open_sources
from engine.config import Paths, Settings
from engine.model.checkpoint import bundled_folder
from engine.process import leave_settled_objects
from engine.schema import BackboneImport, ClassifyRequest, TenantCreate, VplmCreate

OWN, OTHER = "t/own", "t/other"
WARM_UP = 20


@click.command()
@click.option("--requests", type=click.IntRange(10), default=200, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def main(requests: int, rounds: int, threads: int) -> None:
    sources = open_sources(None, (), {})
    texts = [text for name in sources.datasets for text, _ in sources.dataset(name).test[:200]]
    click.echo(about_run(threads=threads, seed=0).line())
    with _engine(threads) as engine:
        alone: list[float] = []
        rests: list[float] = []
        works: list[float] = []
        for _ in range(rounds):
            _let_go(engine)
            alone += asyncio.run(_ask(engine, texts, requests))
            began = time.perf_counter()
            asyncio.run(_one(engine, OTHER, texts[0]))
            loading = time.perf_counter() - began
            rests += asyncio.run(_ask(engine, texts, requests))
            works += asyncio.run(_ask(engine, texts, requests, beside=True))
        held = sum(engine.status().backbones[1].by_owner.values())
    click.echo(f"the second backbone: {loading:.1f} s to its first answer, {held >> 20} MiB")
    _tell("alone", alone, alone)
    _tell("beside one that rests", rests, alone)
    _tell("beside one that is asked without pause", works, alone)


def _tell(what: str, found: list[float], alone: list[float]) -> None:
    for name, figure in (("median", statistics.median), ("p99", _p99)):
        here, there = figure(found), figure(alone)
        click.echo(f"{what}: {name} {1e3 * here:.1f} ms, {here / there:.2f} times alone")


def _p99(found: list[float]) -> float:
    return float(np.quantile(found, 0.99))


async def _ask(
    engine: Appliance, texts: list[str], count: int, *, beside: bool = False
) -> list[float]:
    """Seconds of `count` requests to the own backbone, one at a time."""
    other = asyncio.create_task(_without_pause(engine, texts)) if beside else None
    try:
        for i in range(WARM_UP):
            await _one(engine, OWN, texts[i % len(texts)])
        return [await _one(engine, OWN, texts[i % len(texts)]) for i in range(count)]
    finally:
        if other is not None:
            other.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await other


async def _without_pause(engine: Appliance, texts: list[str]) -> None:
    i = 0
    while True:
        await _one(engine, OTHER, texts[(i := i + 1) % len(texts)])


async def _one(engine: Appliance, vplm: str, text: str) -> float:
    began = time.perf_counter()
    await engine.classify(ClassifyRequest(model=vplm, input=text))
    return time.perf_counter() - began


@contextlib.contextmanager
def _engine(threads: int) -> Iterator[Appliance]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(paths=Paths.find(Path(folder) / "home"), threads=threads)
        engine = Appliance(settings)
        engine.start()
        try:
            second = _second(Path(folder) / "second")
            engine.import_backbone(BackboneImport(path=str(second), split=4))
            engine.create_tenant(TenantCreate(name="t"))
            for name, backbone in (("own", None), ("other", "second")):
                engine.create_vplm(
                    VplmCreate(tenant="t", name=name, labels=["a", "b"], backbone=backbone)
                )
            leave_settled_objects()
            yield engine
        finally:
            engine.close()


def _second(folder: Path) -> Path:
    """The bundled one's shape and tokenizer with weights of chance."""
    config = BertConfig.from_pretrained(bundled_folder())
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        if (bundled_folder() / name).is_file():
            (folder / name).write_bytes((bundled_folder() / name).read_bytes())
    return folder


def _let_go(engine: Appliance) -> None:
    engine._core.backbones.drop(engine.backbone("second").sha256)


if __name__ == "__main__":
    main()
