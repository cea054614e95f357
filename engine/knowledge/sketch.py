"""Which n-grams the tables lack most: a bounded record of missed keys with estimated counts.

The Space-Saving algorithm (Metwally et al., 2005), set-associative: a key has eight places where
it may be, so that counting a whole batch is a few array operations. A newcomer takes the place of
the least counted key of its set and starts from that key's count, which is noted as its error.

With n times counted in a key's set, `most` of `held` and `estimate` are never below the true
count and at most n / 8 above it; `least` is never above it. Spread by the hash, n / 8 is about
all that was counted divided by `capacity`. Decay rounds, which costs less than 1 in all.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.ngrams import Keys

Times = NDArray[np.int64]

WAYS = 8
BUDGET = 2 << 20
"""Bytes: room for 128 thousand n-grams."""

_ENTRY = 16
_SET_BYTES = WAYS * _ENTRY + 4
_FREE = np.int64(0)
"""No n-gram's key: an order is part of it."""
MOST = 1 << 31
"""No count is let grow beyond it."""
_MIX = np.uint64(0x9FB21C651E98DF25)
_HALF = np.uint64(32)


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """Distinct `keys` (N,) with bounds on how often each was missed: `least` <= true <= `most`."""

    keys: Keys
    least: Times
    most: Times


class MissSketch:
    """Thread-safe. Its memory is fixed, and taken from the system as sets come into use."""

    def __init__(self, budget: int = BUDGET) -> None:
        """`budget` in bytes; a budget too small for one set is a ValueError."""
        self._sets = budget // _SET_BYTES
        if self._sets < 1:
            raise ValueError(f"{budget} bytes hold no set; one takes {_SET_BYTES}")
        self._keys = np.zeros((self._sets, WAYS), dtype=np.int64)
        self._most = np.zeros((self._sets, WAYS), dtype=np.uint32)
        self._error = np.zeros((self._sets, WAYS), dtype=np.uint32)
        # What a key of the set that is not held may have been counted at most.
        self._floor = np.zeros(self._sets, dtype=np.uint32)
        self._seen = 0
        self._lock = threading.Lock()

    @property
    def capacity(self) -> int:
        """How many keys it can hold."""
        return self._sets * WAYS

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self._keys, self._most, self._error, self._floor))

    @property
    def seen(self) -> int:
        """All that was counted, decayed as the counts are."""
        return self._seen

    def add(self, keys: Keys, times: Times) -> None:
        """Note that distinct `keys` (N,) were missed `times` (N,) each."""
        if len(keys) == 0:
            return
        homes = self._home(keys)
        times = np.minimum(times, MOST // 2)
        with self._lock:
            sets, ways, held = self._places(keys, homes)
            self._most[sets, ways] += times[held].astype(np.uint32)
            new = np.flatnonzero(~held)
            for which in _turns(homes[new]):
                self._take_place(homes[new[which]], keys[new[which]], times[new[which]])
            self._seen += int(times.sum())
        if self._seen > MOST:
            self.decay()

    def estimate(self, keys: Keys) -> Times:
        """(N,) how often each of `keys` was missed at most, also of those not held."""
        homes = self._home(keys)
        with self._lock:
            found = self._floor[homes].astype(np.int64)
            sets, ways, held = self._places(keys, homes)
            found[held] = self._most[sets, ways]
        return found

    def held(self) -> Held:
        """Every key it knows, most missed (at least) first."""
        with self._lock:
            used = self._keys != _FREE
            keys, most = self._keys[used], self._most[used].astype(np.int64)
            least = most - self._error[used]
        ranked = np.lexsort((keys, -most, -least))
        return Held(keys[ranked], least[ranked], most[ranked])

    def remove(self, keys: Keys) -> Times:
        """Forget `keys` (N,), which a table has now; how often each was missed at least."""
        least = np.zeros(len(keys), dtype=np.int64)
        homes = self._home(keys)
        with self._lock:
            sets, ways, held = self._places(keys, homes)
            least[held] = self._most[sets, ways].astype(np.int64) - self._error[sets, ways]
            self._free(sets, ways)
            self._seen -= int(least.sum())
        return least

    def decay(self) -> None:
        """Halve every count. Keys that were missed once are forgotten."""
        with self._lock:
            for counts in (self._most, self._error, self._floor):
                counts >>= np.uint32(1)
            self._free(*np.nonzero((self._most == 0) & (self._keys != _FREE)))
            self._seen //= 2

    def restore(self, held: Held, seen: int) -> None:
        """Take up what another sketch knew; this one must be empty.

        Of a smaller one than the other, the least missed keys are left out.
        """
        homes = self._home(held.keys)
        with self._lock:
            for way, which in enumerate(_turns(homes)):
                sets = homes[which]
                if way < WAYS:
                    self._keys[sets, way] = held.keys[which]
                    self._most[sets, way] = held.most[which]
                    self._error[sets, way] = held.most[which] - held.least[which]
                # Whom the other had let go is not known, but by what the newcomers took over.
                left = held.most[which] if way >= WAYS else held.most[which] - held.least[which]
                self._floor[sets] = np.maximum(self._floor[sets], left)
            self._seen = seen

    def _places(
        self, keys: Keys, homes: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """Set and way of those of `keys` that are held, and which (N,) those are."""
        match = self._keys[homes] == keys[:, None]
        held: NDArray[np.bool_] = match.any(axis=1)
        return homes[held], match[held].argmax(axis=1), held

    def _take_place(self, sets: NDArray[np.int64], keys: Keys, times: Times) -> None:
        """Put new `keys` into `sets`, no two of them the same."""
        counts = self._most[sets]
        ways = counts.argmin(axis=1)
        room = self._keys[sets, ways] == _FREE
        base = np.where(room, self._floor[sets], counts.min(axis=1))
        self._floor[sets] = base
        self._keys[sets, ways] = keys
        self._error[sets, ways] = base
        self._most[sets, ways] = base + times.astype(np.uint32)

    def _free(self, sets: NDArray[np.int64], ways: NDArray[np.int64]) -> None:
        self._keys[sets, ways] = _FREE
        self._most[sets, ways] = 0
        self._error[sets, ways] = 0

    def _home(self, keys: Keys) -> NDArray[np.int64]:
        mixed = (keys.view(np.uint64) * _MIX) >> _HALF
        return ((mixed * np.uint64(self._sets)) >> _HALF).view(np.int64)


def _turns(homes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Places in `homes`, in groups that name no set twice; the first of a set comes first."""
    by_home = np.argsort(homes, kind="stable")
    ordered = homes[by_home]
    turn = np.arange(len(homes)) - np.searchsorted(ordered, ordered, side="left")
    return [by_home[turn == now] for now in range(int(turn.max(initial=-1)) + 1)]
