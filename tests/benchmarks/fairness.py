"""What a tenant that floods does to the others, on a real engine in this process.

    python -m tests.benchmarks.fairness --data DIR

First all tenants always have requests in flight, with texts of different lengths: the tokens each
is served give the Jain index and the capacity. Then all but one send at a share of that capacity,
the same tokens each, open loop (latency counts from the instant a request was due), alone and
beside one that sends a multiple of what another does. Last, with --slo-ms, all send at
four fifths of the capacity.
"""

from __future__ import annotations

import asyncio
import math
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np

from engine.appliance import Appliance
from engine.bench.about import about_run
from engine.bench.sources import open_sources
from engine.config import Paths, Settings
from engine.errors import QueueFull
from engine.process import leave_settled_objects
from engine.schema import ClassifyRequest, TenantCreate, VplmCreate

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@dataclass(slots=True)
class Sender:
    """One tenant: its texts, how often it asks, and what came of it."""

    tenant: str
    texts: Sequence[str]
    rate: float = 0.0
    """Requests a second."""
    length: float = 1.0
    """Mean tokens of a text."""
    latencies: list[float] = field(default_factory=list)
    tokens: int = 0
    refused: int = 0
    since: float = -math.inf
    until: float = math.inf
    """What is answered before or after does not count."""

    async def ask(self, engine: Appliance, number: int, due: float) -> bool:
        """Whether it was accepted."""
        text = self.texts[number % len(self.texts)]
        try:
            answer = await engine.classify(ClassifyRequest(model=f"{self.tenant}/a", input=text))
        except QueueFull:
            self.refused += 1
            return False
        now = time.perf_counter()
        if self.since <= now < self.until:
            self.latencies.append(now - due)
            self.tokens += answer.usage.total_tokens
        return True

    async def keep_asking(self, engine: Appliance, number: int) -> None:
        """Closed loop. Who is refused lets the others go on before it asks again."""
        while (now := time.perf_counter()) < self.until:
            if not await self.ask(engine, number, now):
                await asyncio.sleep(_AGAIN_S)
            number += 1

    async def ask_at_times(self, engine: Appliance, seconds: float, dice: random.Random) -> None:
        """Open loop, Poisson."""
        start, due, asked = time.perf_counter(), 0.0, set[asyncio.Task[bool]]()
        while (due := due + dice.expovariate(self.rate)) < seconds:
            await asyncio.sleep(max(0.0, start + due - time.perf_counter()))
            asked.add(asyncio.create_task(self.ask(engine, len(asked), start + due)))
        await asyncio.gather(*asked)


@click.command()
@click.option("--data", type=FOLDER, default=None, help="Else the project's own texts.")
@click.option("--datasets", default="banking77,sst2,chemprot", show_default=True)
@click.option("--tenants", type=int, default=100, show_default=True)
@click.option("--seconds", type=float, default=15.0, show_default=True, help="Of each part.")
@click.option("--load", type=float, default=0.5, show_default=True, help="Of the capacity.")
@click.option("--times", type=float, default=50.0, show_default=True, help="The flood's rate.")
@click.option("--slo-ms", type=float, default=500.0, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
def main(
    data: Path | None,
    datasets: str,
    tenants: int,
    seconds: float,
    load: float,
    times: float,
    slo_ms: float,
    threads: int,
) -> None:
    sources = open_sources(data, () if data is None else tuple(datasets.split(",")), {})
    texts = [[t for t, _ in sources.dataset(name).test[:500]] for name in sources.datasets]
    senders = [Sender(f"t{i}", texts[i % len(texts)]) for i in range(tenants)]
    click.echo(about_run(threads=threads, seed=0).line())
    with _engine(senders, threads, None) as engine:
        speed = _saturate(engine, senders, seconds)
        quiet, flood = senders[1:], senders[0]
        each = load * speed / len(quiet)
        p99 = _send(engine, _at(quiet, each), seconds)
        both = [*_at(quiet, each), *_at([flood], times * each)]
        beside = _send(engine, both, seconds, of=quiet)
        click.echo(
            f"{len(quiet)} tenants at {load:.0%} of the capacity: p99 {1e3 * p99:.0f} ms alone, "
            f"{1e3 * beside:.0f} ms beside one that sends {times:g} times as much as each "
            f"({load * times / len(quiet):.0%} of the capacity): {beside / p99:.2f} times"
        )
        _errors(engine)
    with _engine(senders, threads, slo_ms) as engine:
        _send(engine, _at(senders, load * speed / tenants), seconds / 3)
        _send(engine, _at(senders, 0.8 * speed / tenants), seconds)
        taken = [each for sender in senders for each in sender.latencies]
        kept = sum(1000 * each <= slo_ms for each in taken) / max(1, len(taken))
        refused = sum(sender.refused for sender in senders)
        click.echo(
            f"--slo-ms {slo_ms:g} at 80% of the capacity: {len(taken)} accepted, {kept:.2%} of "
            f"them in time; {refused / max(1, len(taken) + refused):.1%} refused"
        )
        _errors(engine)


@contextmanager
def _engine(senders: Sequence[Sender], threads: int, slo_ms: float | None) -> Iterator[Appliance]:
    with tempfile.TemporaryDirectory(prefix="hmi") as folder:
        engine = Appliance(Settings(paths=Paths.find(folder), threads=threads, slo_ms=slo_ms))
        engine.start()
        leave_settled_objects()
        try:
            for sender in senders:
                engine.create_tenant(TenantCreate(name=sender.tenant))
                spec = VplmCreate(tenant=sender.tenant, name="a", labels=["no", "yes"], rank=8)
                engine.create_vplm(spec)
            yield engine
        finally:
            engine.close()


def _at(senders: Sequence[Sender], tokens: float) -> Sequence[Sender]:
    """As new, sending `tokens` a second each."""
    for sender in senders:
        sender.rate, sender.tokens, sender.refused = tokens / sender.length, 0, 0
        sender.since, sender.until = -math.inf, math.inf
        sender.latencies.clear()
    return senders


def _saturate(engine: Appliance, senders: Sequence[Sender], seconds: float) -> float:
    """Tokens a second that the engine answers; what each tenant was served is shown."""

    async def run() -> None:
        # Who begins is alone at first; that is over when counting begins.
        since = time.perf_counter() + seconds / 3
        for sender in senders:
            sender.since, sender.until = since, since + seconds
        await asyncio.gather(*(s.keep_asking(engine, i) for s in senders for i in range(_OPEN)))

    asyncio.run(run())
    tokens = np.array([sender.tokens for sender in senders], dtype=float)
    answered = sum(len(sender.latencies) for sender in senders)
    for sender in senders:
        sender.length = sender.tokens / max(1, len(sender.latencies))
    lengths = [sender.length for sender in senders]
    speed = float(tokens.sum()) / seconds
    jain = tokens.sum() ** 2 / (len(tokens) * (tokens**2).sum())
    off = np.abs(tokens / tokens.mean() - 1).max()
    click.echo(
        f"saturated by {len(senders)} tenants with {min(lengths):.0f} to {max(lengths):.0f} "
        f"tokens a text: {answered / seconds:.0f} requests/s, {speed:.0f} tokens/s, Jain index "
        f"{jain:.4f}, the farthest from its share by {off:.1%}"
    )
    return speed


_AGAIN_S = 0.1
_OPEN = 64
"""Requests in flight of a tenant that saturates: more than it is served before it asks again."""


def _send(
    engine: Appliance,
    senders: Sequence[Sender],
    seconds: float,
    of: Sequence[Sender] | None = None,
) -> float:
    """p99 latency in seconds of `of`, else of all."""

    async def run() -> None:
        await asyncio.gather(
            *(s.ask_at_times(engine, seconds, random.Random(s.tenant)) for s in senders)
        )

    asyncio.run(run())
    latencies = [each for sender in of or senders for each in sender.latencies]
    return float(np.quantile(latencies, 0.99))


def _errors(engine: Appliance) -> None:
    latency = engine.status().queue.latency
    assert latency is not None
    assert latency.error is not None
    named = ", ".join(f"{n} {1e6 * v:.0f}" for n, v in latency.coefficients.items())
    click.echo(f"  batch times predicted within {latency.error:.1%} (median); µs each: {named}")


if __name__ == "__main__":
    main()
