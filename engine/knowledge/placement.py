"""Every key of a set its own slot, by one small number per bucket of keys: a perfect hash.

A key has two independent hashes. The first names its bucket, the second times its bucket's
multiplier its slot. Multipliers are tried 1, 2, 3 .. for all buckets of one size together, the
largest first while most slots are free. (Belazzougui, Botelho, Dietzfelbinger: hash, displace.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Slots = NDArray[np.int64]

LAST_MULTIPLIER = 4095
"""One key alone needs a hundred or so; a hash close to a simple fraction some thousands."""

HALF = np.array(32, np.uint64)
"""As an array, which numpy takes up in half the time that a scalar needs."""

_FREE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """`multipliers` (buckets,) uint16, and `slots` (N,) of the keys, no two the same."""

    multipliers: NDArray[np.uint16]
    slots: Slots


def place(bucket: Slots, spread: Hashes, buckets: int, slots: int) -> Placement | None:
    """Slots below `slots` for keys (N,) in `bucket` (N,) < `buckets`; None if some do not fit.

    `spread` (N,) is each key's second hash. Both counts are below 2**32.
    """
    by_bucket = np.argsort(bucket, kind="stable")
    spread = spread[by_bucket]
    sizes = np.bincount(bucket, minlength=buckets)
    starts = np.cumsum(sizes) - sizes
    multipliers = np.ones(buckets, dtype=np.uint16)
    placed = np.empty(len(bucket), dtype=np.int64)
    count = np.array(slots, dtype=np.uint64)
    owner = np.full(slots, _FREE, dtype=np.int32)
    for size in range(int(sizes.max(initial=0)), 0, -1):
        waiting = np.flatnonzero(sizes == size)
        members = starts[waiting][:, None] + np.arange(size)
        hashes = spread[members]
        for multiplier in range(1, LAST_MULTIPLIER + 1):
            if waiting.size == 0:
                break
            product = hashes * np.uint64(multiplier)
            scale(product, count)
            wanted = product.view(np.int64)
            won = _claim(owner, waiting, wanted)
            multipliers[waiting[won]] = multiplier
            placed[by_bucket[members[won]]] = wanted[won]
            waiting, members, hashes = waiting[~won], members[~won], hashes[~won]
        if waiting.size:
            return None
    return Placement(multipliers, placed)


def scale(product: Hashes, slots: Hashes) -> None:
    """Turn hashes into numbers below `slots` (), in place, by their upper halves."""
    product >>= HALF
    product *= slots
    product >>= HALF


def _claim(owner: NDArray[np.int32], buckets: Slots, wanted: Slots) -> NDArray[np.bool_]:
    """(B,) which `buckets` (B,) get all of their slots `wanted` (B, K); those it marks as taken.

    Of several that want one free slot the one that is written last has it.
    """
    won = np.flatnonzero((owner[wanted] == _FREE).all(axis=1))
    ordered = np.sort(wanted[won], axis=1)
    won = won[(ordered[:, 1:] != ordered[:, :-1]).all(axis=1)]
    slots, names = wanted[won], buckets[won].astype(np.int32)[:, None]
    owner[slots] = names
    mine = owner[slots] == names
    whole = mine.all(axis=1)
    owner[slots[~whole][mine[~whole]]] = _FREE
    claimed = np.zeros(len(buckets), dtype=np.bool_)
    claimed[won[whole]] = True
    return claimed
