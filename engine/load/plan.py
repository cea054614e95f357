"""A run's plan: everything random is decided by the seed before the first request leaves."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from engine.load.arrivals import Process, instants, ramped
from engine.load.popularity import Popularity, picks, shares
from engine.load.ramp import Piece, Ramp


@dataclass(frozen=True, slots=True)
class Hot:
    """A tenant that sends `factor` times its share; what is more comes on top of all the rest."""

    tenant: str
    factor: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The traffic to make: `rate` in requests a second, `duration` in seconds, None for no end.

    A `ramp` takes the place of both. With `clients` there is neither: so many programs ask, each
    its next question when its last is answered.
    """

    rate: float = 20.0
    arrivals: Process = "poisson"
    cv: float = 1.0
    popularity: Popularity = "uniform"
    zipf_s: float = 1.1
    duration: float | None = 30.0
    seed: int = 0
    ramp: tuple[Piece, ...] = ()
    hot: Hot | None = None
    clients: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One request: due `at` seconds after the start, to `models[model]`, saying `text`."""

    at: float
    model: int
    text: str


def plan(profile: Profile, models: Sequence[str], texts: Sequence[str]) -> Iterator[Planned]:
    """The requests of `profile` to `models` (ids tenant/name) in the order in which they are due.

    The same profile, models and texts give the same requests; instants, vPLMs and texts come
    from separate streams, so that changing one setting leaves the others' draws alone, and what
    a hot tenant sends besides leaves every other request as it was.
    """
    usual, besides = np.random.SeedSequence(profile.seed), _besides(profile.seed)
    share = shares(
        len(models), profile.popularity, profile.zipf_s, np.random.default_rng(_streams(usual)[3])
    )
    everyone = _requests(profile, share, 1.0, texts, usual)
    if profile.hot is None:
        return everyone
    own = np.array([tenant_of(model) == profile.hot.tenant for model in models])
    more = (profile.hot.factor - 1) * float(share[own].sum())
    if more <= 0:
        return everyone
    hot = np.where(own, share, 0.0)
    extra = _requests(profile, hot / hot.sum(), more, texts, besides)
    return heapq.merge(everyone, extra, key=attrgetter("at"))


def choose(models: Sequence[str], tenants: int | None, vplms: int | None) -> list[str]:
    """The ids of `models` to ask: of the first `tenants` tenants, at most `vplms` of them.

    A limit on vPLMs takes from every tenant in turn, so that all keep being asked.
    """
    by_tenant: dict[str, list[str]] = {}
    for model in models:
        by_tenant.setdefault(tenant_of(model), []).append(model)
    kept = [by_tenant[name] for name in sorted(by_tenant)[:tenants]]
    rounds = itertools.zip_longest(*kept)
    chosen = [model for one_each in rounds for model in one_each if model is not None]
    return sorted(chosen[:vplms])


def tenant_of(model: str) -> str:
    return model.partition("/")[0]


def _besides(seed: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, 1])


def _streams(seed: np.random.SeedSequence) -> list[np.random.SeedSequence]:
    """Instants, picks, texts and popularity; the first three are what they always were."""
    return [np.random.SeedSequence(seed.entropy, spawn_key=(i,)) for i in range(4)]


def _requests(
    profile: Profile,
    share: np.ndarray[tuple[int], np.dtype[np.float64]],
    scale: float,
    texts: Sequence[str],
    seed: np.random.SeedSequence,
) -> Iterator[Planned]:
    """Requests at `scale` times the profile's rate, to vPLMs by `share`."""
    when, whom, what = (np.random.default_rng(stream) for stream in _streams(seed)[:3])
    if profile.clients is not None:
        due: Iterator[float] = itertools.repeat(0.0)
    elif profile.ramp:
        due = ramped(Ramp(profile.ramp), scale, profile.arrivals, profile.cv, when)
    else:
        rate = scale * profile.rate
        due = instants(rate, profile.arrivals, profile.cv, profile.duration, when)
    order = what.permutation(len(texts)).tolist()
    for at, model, line in zip(due, picks(share, whom), itertools.cycle(order), strict=False):
        yield Planned(at, model, texts[line])
