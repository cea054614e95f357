"""When requests are due: instants fixed in advance, whatever the engine's answers take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from engine.load.ramp import Ramp

Process = Literal["poisson", "gamma"]
BLOCK = 4096
"""Gaps drawn at a time, so that a run without an end needs no more memory than a short one."""


EVEN = 1e-6
"""A cv below which gaps are even; a gamma distribution so narrow is beyond what floats hold."""


def instants(
    rate: float,
    process: Process,
    cv: float,
    duration: float | None,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Seconds after the start at which requests are due, ascending, all below `duration`.

    `rate` is in requests a second and `duration` in seconds, None for no end. A Poisson process
    has exponential gaps; a gamma process has gaps of the same mean whose standard deviation is
    `cv` times the mean: above 1 it comes in bursts, at 0 it ticks evenly.
    """
    for now in _clock(rate, process, cv, rng):
        if duration is not None and now >= duration:
            return
        yield now


def ramped(
    ramp: Ramp, scale: float, process: Process, cv: float, rng: np.random.Generator
) -> Iterator[float]:
    """As `instants`, at `scale` times the rate that `ramp` has at each moment, until its end."""
    for requests in _clock(scale, process, cv, rng):
        now = ramp.at(requests)
        if now is None:
            return
        yield now


def _clock(rate: float, process: Process, cv: float, rng: np.random.Generator) -> Iterator[float]:
    now = 0.0
    while True:
        for gap in _gaps(rate, 1.0 if process == "poisson" else cv, rng):
            now += gap
            yield now


def _gaps(rate: float, cv: float, rng: np.random.Generator) -> list[float]:
    mean = 1.0 / rate
    if cv < EVEN:
        return [mean] * BLOCK
    shape = 1.0 / (cv * cv)
    gaps: list[float] = rng.gamma(shape, mean / shape, BLOCK).tolist()
    return gaps
