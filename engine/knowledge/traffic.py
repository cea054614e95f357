"""What a domain's lookups asked for: how often each n-gram hit or missed, and how many in all.

Hits are counted by the row that answered, in the view; misses in a sketch. When a view gives way
to the next, the demand moves along: the hits of a row that stays go with it, those of a row that
is gone are misses from now on, and a missed n-gram that has a row now brings its count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.knowledge.index import MISS
from engine.knowledge.sketch import Held, MissSketch, Times
from engine.knowledge.view import TableView
from engine.model.ngrams import Keys

if TYPE_CHECKING:
    from engine.knowledge.retrieved import Lookups

_PART = 4096
"""Keys handed to the sketch at once: serving waits for no more than that."""
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Recent:
    """Lookups since the domain's view was last published."""

    hits: int = 0
    misses: int = 0

    @property
    def lookups(self) -> int:
        return self.hits + self.misses

    @property
    def miss_rate(self) -> float:
        """Share that no table answered; 0 before the first lookup."""
        return self.misses / self.lookups if self.lookups else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Trigrams that were asked for: sorted distinct `keys` (N,) and `times` (N,).

    `lookups` counts all there were, also of n-grams whose name was not kept.
    """

    keys: Keys
    times: Times
    lookups: int


NOTHING_ASKED = Asked(_NONE, _NONE, 0)


@dataclass(frozen=True, slots=True, eq=False)
class TrafficState:
    """All that outlives the engine: `hit_keys` (N,) with their `hits` (N,), the missed n-grams
    known by name, the `misses` there were in all, and the recent lookups."""

    hit_keys: Keys
    hits: Times
    missed: Held
    misses: int
    recent: Recent


class Traffic:
    """Counts of one domain. `hits` to `cached` are lookups since the engine started.

    Counting and publishing may run at once; what falls between them may be lost, for it is a hint.
    """

    def __init__(self) -> None:
        self.hits = self.computed = self.backed_off = self.cached = 0
        self.recent = Recent()
        self._sketch: MissSketch | None = None

    @property
    def misses(self) -> int:
        """Lookups that no table answered."""
        return self.computed + self.backed_off + self.cached

    @property
    def nbytes(self) -> int:
        return 0 if self._sketch is None else self._sketch.nbytes

    def add(self, found: Lookups) -> None:
        """Count the lookups of a batch."""
        self.hits += found.hits
        self.computed += found.computed
        self.backed_off += found.backed_off
        self.cached += found.cached
        before = self.recent
        misses = found.tokens - found.hits
        self.recent = Recent(before.hits + found.hits, before.misses + misses)

    def add_missed(self, keys: Keys, times: Times) -> None:
        """Distinct trigrams `keys` (N,) were asked for `times` (N,) each and not found."""
        if len(keys):
            self._misses().add(keys, times)

    def asked(self, view: TableView) -> Asked:
        """All that is known of the demand; `view` is the one that counts the hits."""
        state = self.state(view)
        known = state.missed.least > 0
        keys, which = np.unique(
            np.concatenate([state.hit_keys, state.missed.keys[known]]), return_inverse=True
        )
        times = np.zeros(len(keys), dtype=np.int64)
        np.add.at(times, which, np.concatenate([state.hits, state.missed.least[known]]))
        return Asked(keys, times, int(state.hits.sum()) + state.misses)

    def move(self, before: TableView, after: TableView, *, decay: bool) -> None:
        """`after` takes the place of `before`; with `decay` all counts are halved first."""
        keys, hits = before.asked()
        if decay:
            hits = hits // 2
            if self._sketch is not None:
                self._sketch.decay()
        self._take(after, keys, hits)
        self.recent = Recent()

    def state(self, view: TableView) -> TrafficState:
        """What to keep for the next start; `view` is the one that counts the hits."""
        keys, hits = view.asked()
        if self._sketch is None:
            return TrafficState(keys, hits, Held(_NONE, _NONE, _NONE), 0, self.recent)
        return TrafficState(keys, hits, self._sketch.held(), self._sketch.seen, self.recent)

    def restore(self, state: TrafficState, view: TableView) -> None:
        """Take up what an earlier engine knew; `view` counts the hits from now on."""
        if state.misses:
            self._misses().restore(state.missed, state.misses)
        self._take(view, state.hit_keys, state.hits)
        self.recent = state.recent

    def _take(self, view: TableView, keys: Keys, hits: Times) -> None:
        """Give `view` its share of the demand and the sketch the rest."""
        rows = view.find(keys)
        there = rows != MISS
        view.count(rows[there], hits[there])
        gone = np.flatnonzero(~there & (hits > 0))
        for start in range(0, len(gone), _PART):
            part = gone[start : start + _PART]
            self._misses().add(keys[part], hits[part])
        if self._sketch is None:
            return
        keys = self._sketch.held().keys
        rows = view.find(keys)
        there = rows != MISS
        view.count(rows[there], self._sketch.remove(keys[there]))

    def _misses(self) -> MissSketch:
        # Most domains of a large tree are never asked; their sketches would be idle memory.
        if self._sketch is None:
            self._sketch = MissSketch()
        return self._sketch
