"""Classifiers and generators of one engine asked at the same time, and classifiers asked alone.

    python -m tests.benchmarks.mixed_load [--vplms 10000] [--seconds 600] [--rate R] [--texts R]

Requests come at random times at stated rates whether or not earlier ones are answered (Poisson),
each to a vPLM chosen at random. The vPLMs are made, the engine is started again, and after some
warming up the classifiers are asked alone for half of the time, beside generators for all of it,
and alone for the other half: what is read from disk for the first time is in both parts alike. A
generated text begins with a passage of the project's own texts and is streamed; its first token
counts from the moment it was due. Whoever asks shares the machine with the engine.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order
from engine.bench.own_engine import own_engine
from engine.bench.table import table
from engine.client import AsyncClient, Client, HmiError
from engine.schema import CompletionRequest, VplmBulkCreate

TENANT = "bench"
AT_ONCE = 500
"""vPLMs that one request creates."""
README = Path(__file__).resolve().parents[2] / "README.md"
MOST_WORDS = 40
WARMING_S = 30.0
"""Of asking that does not count."""
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class Load:
    """`rate` classifications and `texts` generated texts a second, of `vplms` of each kind."""

    vplms: int
    seconds: float
    rate: float
    texts: float
    tokens: int
    seed: int


@dataclass(slots=True)
class Heard:
    """Seconds; `pauses` are those between a text's tokens."""

    answers: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Engine:
    """What the engine itself took: seconds, and bytes in memory before the load and after it."""

    made_s: float
    started_s: float
    bytes_before: int
    bytes_after: int


@click.command()
@click.option("--vplms", type=int, default=1000, show_default=True, help="Of each kind.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Of each part.")
@click.option("--rate", type=float, default=20.0, show_default=True, help="Classifications a s.")
@click.option("--texts", type=float, default=1.0, show_default=True, help="Texts begun a second.")
@click.option("--tokens", type=int, default=32, show_default=True, help="Of each text.")
@click.option("--generator", type=FOLDER, default=None, help="Else the bundled one.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Write JSON here.")
def main(
    vplms: int,
    seconds: float,
    rate: float,
    texts: float,
    tokens: int,
    generator: Path | None,
    seed: int,
    out: Path | None,
) -> None:
    """Latencies of both kinds, and what generating costs the classifiers."""
    end_in_order()
    if out is not None:
        check_writable(out)
    lines = README.read_text(encoding="utf-8").split("\n")
    passages = [" ".join(line.split()[:MOST_WORDS]) for line in lines if len(line.split()) > 5]
    flags = ["--device", "cpu", *([] if generator is None else ["--generator", str(generator)])]
    load = Load(vplms, seconds, rate, texts, tokens, seed)
    quiet = replace(load, seconds=seconds / 2, texts=0.0)
    alone, both = Heard(), Heard()
    with tempfile.TemporaryDirectory(prefix="hmi-mixed-") as home:
        with own_engine(Path(home), flags) as engine:
            began = time.perf_counter()
            _create(engine.client, vplms)
            made = time.perf_counter() - began
        with own_engine(Path(home), flags) as engine:
            at, before = engine.paths.socket, engine.consumed().resident_bytes
            warming = replace(load, seconds=min(WARMING_S, seconds / 4))
            for part, (heard, asked) in enumerate(
                ((Heard(), warming), (alone, quiet), (both, load), (alone, quiet))
            ):
                asyncio.run(_ask(at, passages, asked, part, heard))
            after = engine.consumed().resident_bytes
    _report(alone, both, load, Engine(made, engine.started_s, before, after), out)


def _create(client: Client, vplms: int) -> None:
    client.create_tenant(TENANT)
    for first in range(1, vplms + 1, AT_ONCE):
        count = min(AT_ONCE, vplms + 1 - first)
        for name, about in (("c", {"labels": ["no", "yes"]}), ("g", {"kind": "generator"})):
            given: dict[str, Any] = {"tenant": TENANT, "name": name, "count": count, "first": first}
            client.create_vplms(VplmBulkCreate(**given, **about))


async def _ask(socket: Path, passages: Sequence[str], load: Load, part: int, heard: Heard) -> None:
    """One part of the load; `heard` gets what it comes to."""
    async with AsyncClient(socket=socket) as client, asyncio.TaskGroup() as group:

        async def classify(vplm: str, text: str, due: float) -> None:
            await client.classify(vplm, text)
            heard.answers.append(time.perf_counter() - due)

        async def generate(vplm: str, text: str, due: float) -> None:
            request = CompletionRequest(
                model=vplm, prompt=text, max_tokens=load.tokens, ignore_eos=True, seed=load.seed
            )
            before, said = due, 0
            async for chunk in client.complete_stream(request):
                if not chunk.choices:
                    continue
                now = time.perf_counter()
                (heard.first if before == due else heard.pauses).append(now - before)
                before, said = now, said + 1
            heard.tokens += said
            heard.errors["cut short"] += said < load.tokens

        for kind, ask, often in (("c", classify, load.rate), ("g", generate, load.texts)):
            draw = np.random.default_rng([load.seed, part, ord(kind)])
            group.create_task(_arrive(group, heard, kind, ask, often, load, passages, draw))


async def _arrive(
    group: asyncio.TaskGroup,
    heard: Heard,
    kind: str,
    ask: Callable[[str, str, float], Coroutine[Any, Any, None]],
    rate: float,
    load: Load,
    passages: Sequence[str],
    draw: np.random.Generator,
) -> None:
    async def counted(vplm: str, text: str, due: float) -> None:
        try:
            await ask(vplm, text, due)
        except HmiError as error:
            heard.errors[error.code] += 1

    began = due = time.perf_counter()
    while rate:
        due += float(draw.exponential(1 / rate))
        if due > began + load.seconds:
            return
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        vplm = f"{TENANT}/{kind}-{int(draw.integers(load.vplms)) + 1:05d}"
        text = passages[int(draw.integers(len(passages)))]
        group.create_task(counted(vplm, text, due))


def _report(alone: Heard, both: Heard, load: Load, engine: Engine, out: Path | None) -> None:
    series = {
        "classifiers alone, answer": alone.answers,
        "beside generators, answer": both.answers,
        "generators, first token": both.first,
        "generators, each further token": both.pauses,
    }
    lines = [
        (name, f"{len(found):,}", *(f"{1e3 * _at(found, share):.1f}" for share in (0.5, 0.99)))
        for name, found in series.items()
    ]
    about = about_run(threads=len(os.sched_getaffinity(0)), seed=load.seed)
    moved = _at(both.answers, 0.99) / _at(alone.answers, 0.99)
    # The sum leaves out what never happened.
    errors = dict(alone.errors + both.errors)
    click.echo(f"{about.line()}\n{load}\n")
    click.echo(table(("WHAT", ">COUNT", ">P50, MS", ">P99, MS"), lines))
    kept, grown = (size >> 20 for size in (engine.bytes_before, engine.bytes_after))
    click.echo(
        f"\n{load.vplms:,} vPLMs of each kind made in {engine.made_s:.1f} s; the engine ready "
        f"again after {engine.started_s:.1f} s, with {kept:,} MiB, and {grown:,} after the load\n"
        f"{both.tokens / load.seconds:.0f} tokens/s said; classifiers' p99 moved by {moved:.2f} "
        f"times; errors {errors or 'none'}"
    )
    if out is not None:
        found = {name: [_at(each, 0.5), _at(each, 0.99)] for name, each in series.items()}
        results = {"seconds": found, "moved": moved, "errors": errors, "engine": asdict(engine)}
        write_document(Document("mixed_load", about, asdict(load), results), out)


def _at(found: Sequence[float], share: float) -> float:
    return float(np.quantile(found, share)) if found else float("nan")


if __name__ == "__main__":
    main()
