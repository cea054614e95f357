"""Which vPLM each request asks: all alike, or a few asked most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

Popularity = Literal["uniform", "zipf"]
BLOCK = 4096


def shares(
    count: int, popularity: Popularity, s: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Each of `count` vPLMs' share of the requests, shape (count,), summing to 1.

    Zipf: the vPLM of rank r gets a share in proportion to r ** -s. Ranks are dealt at random, so
    that the popular ones are not all of the tenant whose name sorts first.
    """
    if popularity == "uniform":
        return np.full(count, 1.0 / count)
    weights = np.arange(1, count + 1, dtype=np.float64) ** -s
    dealt: npt.NDArray[np.float64] = rng.permutation(weights / weights.sum())
    return dealt


def picks(share: npt.NDArray[np.float64], rng: np.random.Generator) -> Iterator[int]:
    """Indices into `share`, drawn with those probabilities, without end."""
    edges = np.cumsum(share)
    edges[-1] = 1.0
    while True:
        yield from np.searchsorted(edges, rng.random(BLOCK), side="right").tolist()
