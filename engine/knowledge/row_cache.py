"""Rows that were computed because no table had them, kept for whoever asks next.

A row is a pure function of the n-gram and the encoder's weights, so one cache serves every domain,
tenant and epoch, keyed by n-gram and encoder, and nothing in it can go stale. It is bounded and
set-associative: a key has eight places where it may be, so that looking up, admitting and evicting
a whole batch are a few array operations.

Admission is by frequency, as in a generalised clock. A newcomer faces the row under its set's
hand: one that has no uses left goes; any other stays, loses one, and the hand moves on. What came
by once is soon replaced, what is asked for again stays, and yesterday's favourites wear down.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.ngrams import Keys
from engine.model.rows import row_bytes

WAYS = 8
MOST_USES = 15
"""Counting further would only keep yesterday's favourites longer."""

_EMPTY = np.int64(0)
"""No key is 0: the order of an n-gram, which is in it, is not. Zeros take memory when used."""
_PLACE_BYTES = 8 + 4 + 1 + 4
"""Beside its row: the key, the owner, the uses, where the row lies."""
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True)
class CacheUse:
    """`hits` and `misses` count distinct n-grams of batches, since start."""

    rows: int
    capacity: int
    bytes: int
    hits: int
    misses: int
    evictions: int


class RowCache:
    """Thread-safe. Memory is taken from the system as rows arrive, `budget` bytes at most."""

    def __init__(self, budget: int, width: int) -> None:
        """`width` is H; a budget too small for one set holds nothing and admits nothing."""
        self._row_bytes = row_bytes(width)
        self._sets = budget // ((self._row_bytes + _PLACE_BYTES) * WAYS + 1)
        self._owners = np.zeros((self._sets, WAYS), dtype=np.int32)
        self._keys = np.zeros((self._sets, WAYS), dtype=np.int64)
        self._uses = np.zeros((self._sets, WAYS), dtype=np.uint8)
        self._hands = np.zeros(self._sets, dtype=np.uint8)
        # Where each way's row lies. Rows fill their array from the front: memory is taken in large
        # pages, and rows scattered over it would take all of it at once.
        self._at = np.zeros((self._sets, WAYS), dtype=np.int32)
        self._rows = np.empty((self._sets * WAYS, self._row_bytes), dtype=np.int8)
        self._filled = self._hits = self._misses = self._evictions = 0
        self._lock = threading.Lock()

    def share(self, owner: int) -> CacheShare:
        """What the encoder numbered `owner` sees of it: its own rows alone."""
        return CacheShare(self, owner)

    def take(self, keys: Keys, out: NDArray[np.int8], owner: int = 0) -> NDArray[np.bool_]:
        """Fill `out` (N, H + 4) for the `keys` (N,) that are here and say which (N,) those are."""
        if self._sets == 0 or len(keys) == 0:
            return np.zeros(len(keys), dtype=np.bool_)
        homes = self._home(keys)
        with self._lock:
            match = (self._keys[homes] == keys[:, None]) & (self._owners[homes] == owner)
            found: NDArray[np.bool_] = match.any(axis=1)
            sets, ways = homes[found], match[found].argmax(axis=1)
            out[found] = self._rows[self._at[sets, ways]]
            uses = self._uses[sets, ways]
            self._uses[sets, ways] = np.minimum(uses + np.uint8(1), MOST_USES)
            self._hits += len(sets)
            self._misses += len(keys) - len(sets)
        return found

    def admit(self, keys: Keys, rows: NDArray[np.int8], owner: int = 0) -> None:
        """Offer freshly computed `rows` (N, H + 4) of distinct `keys` (N,)."""
        if self._sets == 0 or len(keys) == 0:
            return
        homes = self._home(keys)
        by_home = np.argsort(homes, kind="stable")
        sorted_homes = homes[by_home]
        first = np.searchsorted(sorted_homes, sorted_homes, side="left")
        turn = np.arange(len(keys)) - first
        with self._lock:
            # Keys of one set take turns; those of one turn are all in different sets.
            for now in range(int(turn.max()) + 1):
                which = by_home[turn == now]
                self._admit_one_a_set(homes[which], keys[which], rows[which], owner)

    def hot(self, owner: int = 0) -> tuple[Keys, NDArray[np.int64]]:
        """The keys it holds with how often each was used lately (0 to MOST_USES)."""
        with self._lock:
            held = (self._keys != _EMPTY) & (self._owners == owner)
            return self._keys[held], self._uses[held].astype(np.int64)

    def use(self) -> CacheUse:
        with self._lock:
            return CacheUse(
                rows=self._filled,
                capacity=self._sets * WAYS,
                bytes=self._filled * self._row_bytes + self._sets * WAYS * _PLACE_BYTES,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
            )

    def _admit_one_a_set(self, sets: Keys, keys: Keys, rows: NDArray[np.int8], owner: int) -> None:
        # Another thread may have computed the same n-gram meanwhile.
        here = (self._keys[sets] == keys[:, None]) & (self._owners[sets] == owner)
        new = ~here.any(axis=1)
        sets, keys, rows = sets[new], keys[new], rows[new]
        empty = self._keys[sets] == _EMPTY
        room = empty.any(axis=1)
        ways = np.where(room, empty.argmax(axis=1), self._hands[sets])
        resists = ~room & (self._uses[sets, ways] > 0)
        self._uses[sets[resists], ways[resists]] -= np.uint8(1)
        self._hands[sets[~room]] = (self._hands[sets[~room]] + 1) % WAYS
        into = ~resists
        sets, ways = sets[into], ways[into]
        self._keys[sets, ways] = keys[into]
        self._owners[sets, ways] = owner
        self._uses[sets, ways] = 0
        new_places = room[into]
        fresh = int(new_places.sum())
        self._at[sets[new_places], ways[new_places]] = np.arange(self._filled, self._filled + fresh)
        self._rows[self._at[sets, ways]] = rows[into]
        self._filled += fresh
        self._evictions += len(sets) - fresh

    def _home(self, keys: Keys) -> NDArray[np.int64]:
        mixed = (keys.view(np.uint64) * _MIX) >> _HALF
        return ((mixed * np.uint64(self._sets)) >> _HALF).view(np.int64)


@dataclass(frozen=True, slots=True)
class CacheShare:
    """One encoder's rows in a cache that all encoders share."""

    cache: RowCache
    owner: int

    def take(self, keys: Keys, out: NDArray[np.int8]) -> NDArray[np.bool_]:
        return self.cache.take(keys, out, self.owner)

    def admit(self, keys: Keys, rows: NDArray[np.int8]) -> None:
        self.cache.admit(keys, rows, self.owner)
