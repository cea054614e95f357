"""Which share of the requests finds its adapter in a tier of so many places.

Under LRU, by Che's approximation (Che, Tung, Wang 2002): an adapter asked for with probability p
is resident with 1 - exp(-p t), where t is such that as many are resident as there are places.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Popularity = Literal["uniform", "zipf"]
_BISECTIONS = 60
_EXACT_RANKS = 4096
"""Ranks counted one by one; later ones in groups whose members differ by under one percent."""


def hit_share(count: int, places: int, popularity: Popularity, s: float) -> float:
    """Share of requests over `count` adapters that find theirs among `places` resident ones.

    Zipf: the adapter of rank r is asked for in proportion to r ** -s. Between 0 and 1.
    """
    if places <= 0:
        return 0.0
    if places >= count:
        return 1.0
    if popularity == "uniform" or s == 0:
        return places / count
    share, members = _zipf(count, s)
    low, high = 0.0, 1.0
    while _resident(share, members, high) < places:
        low, high = high, high * 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if _resident(share, members, middle) < places:
            low = middle
        else:
            high = middle
    return float(np.sum(members * share * -np.expm1(-share * high)))


def _resident(share: npt.NDArray[np.float64], members: npt.NDArray[np.float64], t: float) -> float:
    return float(np.sum(members * -np.expm1(-share * t)))


def _zipf(count: int, s: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shares by rank, shape (G,), and how many adapters each stands for; they sum to 1."""
    edges = np.arange(1, min(count, _EXACT_RANKS) + 2, dtype=np.float64)
    if count > _EXACT_RANKS:
        steps = int(np.ceil(np.log(count / _EXACT_RANKS) / np.log(1.01))) + 1
        later = np.unique(np.round(np.geomspace(_EXACT_RANKS + 1, count + 1, steps)))
        edges = np.concatenate([edges[:-1], later])
    members = np.diff(edges)
    middle = (edges[:-1] + edges[1:] - 1) / 2
    weights = middle**-s
    return weights / np.sum(members * weights), members
