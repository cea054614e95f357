"""Classifiers and generators of one engine asked at the same time, and classifiers asked alone.

    python -m tests.benchmarks.mixed_load [--vplms 10000] [--seconds 600] [--rate R] [--texts R]

Requests come at random times at stated rates whether or not earlier ones are answered (Poisson),
each to a vPLM chosen at random. First the classifiers alone, then both kinds, each for as long; the
same seed draws the same arrivals for the classifiers. A generated text begins with a passage of
the project's own texts and is streamed; its first token counts from the moment it was due.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from engine.bench.about import about_run
from engine.bench.own_engine import own_engine
from engine.bench.table import table
from engine.client import AsyncClient, Client, HmiError
from engine.schema import CompletionRequest, VplmBulkCreate

TENANT = "bench"
AT_ONCE = 500
"""vPLMs that one request creates."""
MOST_WORDS = 40
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(slots=True)
class Heard:
    """Seconds; `pauses` are those between a text's tokens."""

    answers: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)


@click.command()
@click.option("--vplms", type=int, default=1000, show_default=True, help="Of each kind.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="Of each part.")
@click.option("--rate", type=float, default=20.0, show_default=True, help="Classifications a s.")
@click.option("--texts", type=float, default=1.0, show_default=True, help="Texts begun a second.")
@click.option("--tokens", type=int, default=32, show_default=True, help="Of each text.")
@click.option("--generator", type=FOLDER, default=None, help="Else the bundled one.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "out", type=click.Path(path_type=Path), default=None, help="Write it too.")
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
    lines = Path("README.md").read_text(encoding="utf-8").split("\n")
    passages = [" ".join(line.split()[:MOST_WORDS]) for line in lines if len(line.split()) > 5]
    flags = ["--device", "cpu", *([] if generator is None else ["--generator", str(generator)])]
    with (
        tempfile.TemporaryDirectory(prefix="hmi-mixed-") as home,
        own_engine(Path(home), flags) as engine,
    ):
        began = time.perf_counter()
        _create(engine.client, vplms)
        made = time.perf_counter() - began
        at = engine.paths.socket
        alone = asyncio.run(_asked(at, passages, vplms, seconds, rate, 0.0, tokens, seed))
        both = asyncio.run(_asked(at, passages, vplms, seconds, rate, texts, tokens, seed))
        memory = engine.consumed().resident_bytes
    _report(alone, both, vplms, seconds, made, memory, seed, out)


def _create(client: Client, vplms: int) -> None:
    client.create_tenant(TENANT)
    for first in range(1, vplms + 1, AT_ONCE):
        count = min(AT_ONCE, vplms + 1 - first)
        for name, about in (("c", {"labels": ["no", "yes"]}), ("g", {"kind": "generator"})):
            given: dict[str, Any] = {"tenant": TENANT, "name": name, "count": count, "first": first}
            client.create_vplms(VplmBulkCreate(**given, **about))


async def _asked(
    socket: Path,
    passages: Sequence[str],
    vplms: int,
    seconds: float,
    rate: float,
    texts: float,
    tokens: int,
    seed: int,
) -> Heard:
    heard = Heard()
    async with AsyncClient(socket=socket) as client, asyncio.TaskGroup() as group:

        async def classify(vplm: str, text: str, due: float) -> None:
            await client.classify(vplm, text)
            heard.answers.append(time.perf_counter() - due)

        async def generate(vplm: str, text: str, due: float) -> None:
            request = CompletionRequest(
                model=vplm, prompt=text, max_tokens=tokens, ignore_eos=True, seed=seed
            )
            before = due
            async for chunk in client.complete_stream(request):
                if not chunk.choices:
                    continue
                now = time.perf_counter()
                (heard.first if before == due else heard.pauses).append(now - before)
                heard.tokens += 1
                before = now

        for kind, ask, often in (("c", classify, rate), ("g", generate, texts)):
            draw = np.random.default_rng([seed, ord(kind)])
            group.create_task(
                _arrive(group, heard, kind, ask, often, seconds, passages, vplms, draw)
            )
    return heard


async def _arrive(
    group: asyncio.TaskGroup,
    heard: Heard,
    kind: str,
    ask: Callable[[str, str, float], Coroutine[Any, Any, None]],
    rate: float,
    seconds: float,
    passages: Sequence[str],
    vplms: int,
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
        if due > began + seconds:
            return
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        vplm = f"{TENANT}/{kind}-{int(draw.integers(vplms)) + 1:05d}"
        text = passages[int(draw.integers(len(passages)))]
        group.create_task(counted(vplm, text, due))


def _report(
    alone: Heard,
    both: Heard,
    vplms: int,
    seconds: float,
    made: float,
    memory: int,
    seed: int,
    out: Path | None,
) -> None:
    series = {
        "classifiers alone, answer": alone.answers,
        "beside generators, answer": both.answers,
        "generators, first token": both.first,
        "generators, each further token": both.pauses,
    }
    lines = [
        (name, str(len(found)), *(f"{1e3 * _at(found, share):.1f}" for share in (0.5, 0.99)))
        for name, found in series.items()
    ]
    about = about_run(threads=len(os.sched_getaffinity(0)), seed=seed)
    moved = _at(both.answers, 0.99) / _at(alone.answers, 0.99)
    errors = dict(alone.errors + both.errors)
    click.echo(about.line())
    click.echo(table(("WHAT", ">COUNT", ">P50, MS", ">P99, MS"), lines))
    click.echo(
        f"{vplms:,} vPLMs of each kind made in {made:.1f} s; {both.tokens / seconds:.0f} tokens/s "
        f"said; classifiers' p99 moved by {moved:.2f} times; errors {errors or 'none'}; engine "
        f"{memory >> 20:,} MiB"
    )
    if out is not None:
        found = {name: [_at(each, 0.5), _at(each, 0.99)] for name, each in series.items()}
        told = {"about": about.line(), "seconds": found, "moved": moved, "errors": errors}
        out.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _at(found: Sequence[float], share: float) -> float:
    return float(np.quantile(found, share)) if found else float("nan")


if __name__ == "__main__":
    main()
