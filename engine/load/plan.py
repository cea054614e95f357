"""A run's plan: everything random is decided by the seed before the first request leaves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.load.arrivals import Process, instants
from engine.load.popularity import Popularity, picks, shares


@dataclass(frozen=True, slots=True)
class Profile:
    """The traffic to make: `rate` in requests a second, `duration` in seconds, None for no end."""

    rate: float = 20.0
    arrivals: Process = "poisson"
    cv: float = 1.0
    popularity: Popularity = "uniform"
    zipf_s: float = 1.1
    duration: float | None = 30.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Planned:
    """One request: due `at` seconds after the start, to `models[model]`, saying `text`."""

    at: float
    model: int
    text: str


def plan(profile: Profile, models: int, texts: Sequence[str]) -> Iterator[Planned]:
    """The requests of `profile` over `models` vPLMs in the order in which they are due.

    The same profile, number and texts give the same requests; instants, vPLMs and texts come
    from separate streams, so that changing one setting leaves the others' draws alone.
    """
    when, whom, what = (
        np.random.default_rng(seed) for seed in np.random.SeedSequence(profile.seed).spawn(3)
    )
    share = shares(models, profile.popularity, profile.zipf_s, whom)
    due = instants(profile.rate, profile.arrivals, profile.cv, profile.duration, when)
    order = what.permutation(len(texts)).tolist()
    for at, model, line in zip(due, picks(share, whom), itertools.cycle(order), strict=False):
        yield Planned(at, model, texts[line])


def choose(models: Sequence[str], tenants: int | None, vplms: int | None) -> list[str]:
    """The ids of `models` to ask: of the first `tenants` tenants, at most `vplms` of them.

    A limit on vPLMs takes from every tenant in turn, so that all keep being asked.
    """
    by_tenant: dict[str, list[str]] = {}
    for model in models:
        by_tenant.setdefault(model.partition("/")[0], []).append(model)
    kept = [by_tenant[name] for name in sorted(by_tenant)[:tenants]]
    rounds = itertools.zip_longest(*kept)
    chosen = [model for one_each in rounds for model in one_each if model is not None]
    return sorted(chosen[:vplms])
