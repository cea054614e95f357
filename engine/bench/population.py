"""The tenants, vPLMs and domains that load is put on, made as anybody makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from engine.bench.sources import Sources
from engine.client import Client, Unavailable
from engine.schema import VplmBulkCreate

Say = Callable[[str], None]
BULK = "m"
"""How the vPLMs are called: m-00001 and on."""
_POLL_S = 0.2
_TOLD = 1000


@dataclass(frozen=True, slots=True)
class Population:
    """`tenants` with `each` vPLMs, of `rank` and `labels`."""

    tenants: int = 1000
    each: int = 10
    rank: int = 64
    labels: int = 4

    @property
    def vplms(self) -> int:
        return self.tenants * self.each


@dataclass(frozen=True, slots=True)
class Created:
    """`seconds` for all vPLMs; `tenths` are those of each tenth of them, in order."""

    vplms: int
    seconds: float
    tenths: tuple[float, ...]
    bytes: int


def build_domains(client: Client, sources: Sources, say: Say) -> list[str]:
    """Every domain of `sources` below the root, with its table; their names."""
    there = {domain.name for domain in client.domains().data}
    for name in sources.corpora:
        if name not in there:
            client.create_domain(name)
        client.put_corpus(name, sources.corpora[name])
        job = client.rebuild_domain(name).id
        while (found := client.job(job)).state in ("queued", "running"):
            time.sleep(_POLL_S)
        if found.state != "succeeded":
            raise Unavailable(f"The table of domain {name} was not built: {found.error}")
        say(f"domain {name}: {client.domain(name).entries:,} entries of its own")
    return list(sources.corpora)


def create_vplms(
    client: Client,
    population: Population,
    domains: list[str],
    say: Say,
    first: int = 0,
) -> Created:
    """Make tenants `first` to `population.tenants` with their vPLMs, domains taking turns."""
    names = [f"tenant-{i:05d}" for i in range(first, population.tenants)]
    for name in names:
        client.create_tenant(name)
    labels = label_names(population.labels)
    done = [time.perf_counter()]
    for number, name in enumerate(names):
        client.create_vplms(
            VplmBulkCreate(
                tenant=name,
                name=BULK,
                count=population.each,
                labels=labels,
                rank=population.rank,
                domain=domains[number % len(domains)],
            )
        )
        done.append(time.perf_counter())
        made = (number + 1) * population.each
        if made % _TOLD < population.each:
            say(f"{made:,} vPLMs after {done[-1] - done[0]:.1f} s")
    return Created(
        len(names) * population.each,
        done[-1] - done[0],
        tuple(_tenths(done)),
        client.status().tiers["disk"].bytes,
    )


def label_names(count: int) -> list[str]:
    return [f"label-{i}" for i in range(count)]


def write_texts(sources: Sources, path: Path) -> int:
    """All datasets' test texts, mixed as they come, a line each; how many."""
    columns = [[text for text, _ in sources.dataset(name).test] for name in sources.datasets]
    lines = [" ".join(text.split()) for text in _in_turn(columns)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def _in_turn(columns: list[list[str]]) -> Iterable[str]:
    for i in range(max(map(len, columns))):
        yield from (column[i] for column in columns if i < len(column))


def _tenths(done: list[float]) -> Iterable[float]:
    marks = [done[round(i * (len(done) - 1) / 10)] for i in range(11)]
    return (end - begin for begin, end in pairwise(marks))
