"""Which eviction policy: hit rates of the tiers' own policies on three kinds of traffic.

A simulation over the classes that the tiers use, without adapters: `uniform`, `zipf` (exponent
1.1, popularity shuffled once in the middle of the run) and `scan` (half Zipf, half a sweep over all
adapters in order, as a nightly job makes it). The first tenth of the accesses is not counted.

    python -m tests.benchmarks.eviction
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import click
import numpy as np
from numpy.typing import NDArray

from engine.bench.table import table
from engine.memory.policy import DecayedFrequency, EvictionPolicy, LeastRecent

SHARES = (0.05, 0.2, 0.5)
EXPONENT = 1.1
Accesses = NDArray[np.int64]


def uniform(count: int, adapters: int, rng: np.random.Generator) -> Accesses:
    return rng.integers(0, adapters, count)


def zipf(count: int, adapters: int, rng: np.random.Generator) -> Accesses:
    weights = 1.0 / np.arange(1, adapters + 1) ** EXPONENT
    ranks = rng.choice(adapters, count, p=weights / weights.sum())
    half = count // 2
    first, second = rng.permutation(adapters), rng.permutation(adapters)
    return np.concatenate([first[ranks[:half]], second[ranks[half:]]])


def scan(count: int, adapters: int, rng: np.random.Generator) -> Accesses:
    mixed = zipf(count, adapters, rng)
    mixed[1::2] = np.arange(len(mixed[1::2])) % adapters
    return mixed


def hit_rate(policy: EvictionPolicy, accesses: Accesses, capacity: int) -> float:
    """Of a tier of `capacity` equal places, after the first tenth of `accesses`."""
    inside: set[str] = set()
    hits, skipped = 0, len(accesses) // 10
    for i, number in enumerate(accesses.tolist()):
        adapter = str(number)
        policy.touch(adapter)
        if adapter in inside:
            hits += i >= skipped
            continue
        if len(inside) == capacity and (victim := policy.pop()) is not None:
            inside.remove(victim)
        inside.add(adapter)
        policy.add(adapter)
    return hits / (len(accesses) - skipped)


@click.command()
@click.option("--adapters", type=int, default=4_000, show_default=True)
@click.option("--accesses", type=int, default=160_000, show_default=True)
@click.option("--half-life", "half_lives", type=float, multiple=True, default=(4e3, 1.6e4, 6.4e4))
@click.option("--seed", type=int, default=0, show_default=True)
def main(adapters: int, accesses: int, half_lives: tuple[float, ...], seed: int) -> None:
    """Hit rates by traffic and share of the working set that fits."""
    policies: dict[str, Callable[[], EvictionPolicy]] = {"LRU": LeastRecent}
    for half_life in half_lives:
        policies[f"LRFU {half_life:,.0f}"] = partial(DecayedFrequency, half_life)
    rows = []
    for traffic in (uniform, zipf, scan):
        asked = traffic(accesses, adapters, np.random.default_rng(seed))
        for share in SHARES:
            capacity = max(1, int(adapters * share))
            rates = [hit_rate(make(), asked, capacity) for make in policies.values()]
            rows.append((traffic.__name__, f"{share:.0%}", *(f"{rate:.1%}" for rate in rates)))
    print(table(("TRAFFIC", ">PLACES", *(f">{name}" for name in policies)), rows))


if __name__ == "__main__":
    main()
