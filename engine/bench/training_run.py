"""`hmi bench training`: adapters against full fine-tuning, and many jobs against one after another.

Every side runs in a process of its own, so that neither its memory nor its warm-up is another's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from engine.bench.crew import Crew
from engine.bench.duels import Company, Duel
from engine.bench.training import (
    Place,
    adapter_side,
    full_side,
    jobs_in_pass,
    jobs_in_turn,
    one_job,
)
from engine.training.worker.process import environment

T = TypeVar("T")


def measure_duel(place: Place, name: str) -> Duel:
    """Both sides, one after the other, each in a fresh process."""
    dataset = place.sources.dataset(name)
    rows = len(dataset.drawn(place.plan.rows, place.plan.seed))
    return Duel(name, rows, _apart(adapter_side, place, name), _apart(full_side, place, name))


def measure_company(place: Place, names: Sequence[str]) -> Company:
    """Small jobs of the datasets in turn, the three ways."""
    wanted = [names[i % len(names)] for i in range(place.plan.jobs)]
    began = time.perf_counter()
    for number_, name in enumerate(wanted):
        _apart(one_job, place, (number_, name))
    processes = time.perf_counter() - began
    in_turn, alone = _apart(jobs_in_turn, place, wanted)
    together, company = _apart(jobs_in_pass, place, wanted)
    apart = max(abs(a - b) for (a, _), (b, _) in zip(alone, company, strict=True))
    weights = max(
        float(np.abs(x[key] - y[key]).max())
        for (_, x), (_, y) in zip(alone, company, strict=True)
        for key in x
    )
    rows = place.plan.small_rows
    return Company(len(wanted), rows, processes, in_turn, together, apart, weights)


def _apart(work: Callable[[Place, Any], T], place: Place, what: object) -> T:
    """`work` in a process of its own, for all sides alike as the engine starts its training
    process."""
    crew: Crew[object, T] = Crew(1, partial(partial, work, place), environment(place.threads))
    with crew:
        return next(crew.run([what]))
