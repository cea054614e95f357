"""A static hash index from n-gram keys to row numbers, probed for a whole batch at once.

Open addressing with linear probing. Entries are placed in the order of their home slots (robin
hood), which the running maximum of `home - rank` does for all of them at once; a probe may then
stop at the first empty slot or at an entry whose home lies further on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.model.ngrams import Keys

Rows = NDArray[np.int32]

MISS = -1
LOAD = 0.6
"""Filled share: 12 bytes a slot make 20 bytes an entry."""

_EMPTY = np.int64(-1)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


class HashIndex:
    """Immutable; safe to probe from several threads."""

    __slots__ = ("_capacity", "_keys", "_rows", "_span", "entries")

    def __init__(self, keys: Keys, rows: Rows) -> None:
        """Index distinct non-negative `keys` (N,) by `rows` (N,)."""
        self.entries = int(keys.shape[0])
        self._capacity = np.uint64(max(8, int(self.entries / LOAD)))
        home = self._home(keys)
        by_home = np.argsort(home, kind="stable")
        rank = np.arange(self.entries, dtype=np.int64)
        place = np.maximum.accumulate(home[by_home] - rank) + rank
        displaced = int((place - home[by_home]).max(initial=0))
        # One empty slot ends every probe, also one that starts at the last home.
        size = int(self._capacity) + displaced + 2
        self._span = displaced + 1
        self._keys = np.full(size, _EMPTY, dtype=np.int64)
        self._rows = np.full(size, MISS, dtype=np.int32)
        self._keys[place] = keys[by_home]
        self._rows[place] = rows[by_home]

    @property
    def nbytes(self) -> int:
        return self._keys.nbytes + self._rows.nbytes

    def find(self, keys: Keys) -> Rows:
        """Row numbers of `keys` (N,), MISS where a key is not in the index."""
        place = self._home(keys)
        held = self._keys[place]
        found = np.where(held == keys, self._rows[place], np.int32(MISS))
        open_ = np.flatnonzero((held != keys) & (held != _EMPTY))
        place, wanted = place[open_], keys[open_]
        for _ in range(self._span):
            if open_.size == 0:
                break
            place = place + 1
            held = self._keys[place]
            hit = held == wanted
            found[open_[hit]] = self._rows[place[hit]]
            go_on = ~hit & (held != _EMPTY)
            open_, place, wanted = open_[go_on], place[go_on], wanted[go_on]
        return found

    def _home(self, keys: Keys) -> NDArray[np.int64]:
        mixed = (keys.view(np.uint64) * _MIX) >> _SHIFT
        return ((mixed * self._capacity) >> _SHIFT).view(np.int64)
