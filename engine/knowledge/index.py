"""A static hash index from n-gram keys to row numbers, probed for a whole batch at once.

A perfect hash: each key has a slot of its own, so that a probe reads its bucket's multiplier and
one slot, whether it hits or misses, and never goes on to another. A slot holds the whole key and
the row side by side. Batches go through in blocks whose temporaries stay in the CPU's own cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.knowledge.placement import HALF, Hashes, place, scale
from engine.model.ngrams import Keys

Rows = NDArray[np.int32]

MISS = -1
ENTRY_BYTES = 20
"""An index's bytes an entry at most: 16 a slot, 0.9 of them filled, and 1 to 2 of multipliers."""

_MISS = np.array(MISS, dtype=np.int32)
_LOAD = 0.9
_BUCKET = 2
"""Keys in a bucket at most, on average: a power of two of buckets needs no division."""
_BLOCK = 4096
_ATTEMPTS = 64
_GROWTH = 1.05
_EMPTY = -1


class HashIndex:
    """Immutable; safe to probe from several threads."""

    __slots__ = ("_count", "_factors", "_multipliers", "_shift", "_slots", "entries")

    def __init__(self, keys: Keys, rows: Rows) -> None:
        """Index distinct non-negative `keys` (N,) by `rows` (N,). ValueError: keys repeat."""
        self.entries = int(keys.shape[0])
        bits = max(1, (max(self.entries - 1, 0) // _BUCKET).bit_length())
        self._shift = np.array(64 - bits, np.uint64)
        slots = int(self.entries / _LOAD) + 1
        rng = np.random.default_rng(0)
        for _ in range(_ATTEMPTS):
            self._factors = _odd(rng), _odd(rng), _odd(rng)
            bucket, spread = self._hash(keys)
            placement = place(bucket, spread, 1 << bits, slots)
            if placement is not None:
                break
            if len(np.unique(keys)) < self.entries:
                raise ValueError("a key occurs twice: pass each key once")
            slots = int(slots * _GROWTH) + 1
        else:
            raise ValueError(f"no placement of {self.entries} keys in {_ATTEMPTS} attempts")
        self._multipliers = placement.multipliers
        self._count = np.array(slots, dtype=np.uint64)
        self._slots = np.full((slots, 2), _EMPTY, dtype=np.int64)
        self._slots[placement.slots, 0] = keys
        self._slots[placement.slots, 1] = rows

    @property
    def nbytes(self) -> int:
        return self._slots.nbytes + self._multipliers.nbytes

    def find(self, keys: Keys) -> Rows:
        """Row numbers of `keys` (N,), MISS where a key is not in the index."""
        found = np.empty(keys.shape[0], dtype=np.int32)
        for start in range(0, len(found), _BLOCK):
            self._find(keys[start : start + _BLOCK], found[start : start + _BLOCK])
        return found

    def _find(self, keys: Keys, found: Rows) -> None:
        """Write the rows of `keys` (N,) to `found` (N,)."""
        bucket, place = self._hash(keys)
        # No number here is out of range; "wrap" is the mode of `take` that checks the least.
        place *= self._multipliers.take(bucket, mode="wrap")
        scale(place, self._count)
        held = self._slots.take(place.view(np.int64), axis=0, mode="wrap")
        np.copyto(found, held[:, 1], casting="unsafe")
        np.copyto(found, _MISS, where=held[:, 0] != keys)

    def _hash(self, keys: Keys) -> tuple[NDArray[np.int64], Hashes]:
        """Two hashes of `keys` (N,): the bucket, and what times its multiplier is the slot.

        The first is linear, which evens out runs of keys; the second must not be.
        """
        first, offset, second = self._factors
        spread = keys.view(np.uint64) * first
        spread += offset
        bucket = spread >> self._shift
        spread ^= spread >> HALF
        spread *= second
        return bucket.view(np.int64), spread


def _odd(rng: np.random.Generator) -> Hashes:
    """() a random odd factor: multiplying by it loses nothing of a key."""
    return np.array(int(rng.integers(1 << 62, 1 << 63)) * 2 + 1, dtype=np.uint64)
