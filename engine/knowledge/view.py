"""What a lookup in a domain sees: one flat index over its own rows and its ancestors'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knowledge.index import MISS, HashIndex, Rows
from engine.model.ngrams import Keys

RowArray = NDArray[np.float16]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One node's stored rows: sorted `keys` (N,), `rows` (N, 3, H) float16, memory-mapped."""

    domain: str
    epoch: int
    keys: Keys
    rows: NDArray[Any]
    counts: NDArray[np.int64]
    """Occurrences of each key in the corpus it was built from."""

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes + self.keys.nbytes + self.counts.nbytes)


class TableView:
    """Immutable but for its counters: a batch that holds it sees one epoch of every node in it."""

    def __init__(self, domain: str, segments: tuple[Segment, ...], width: int) -> None:
        """Resolve `segments` (nearest node first) into one index; nearer rows hide farther."""
        self.domain = domain
        self.segments = segments
        self._shape = (3, width)
        sizes = [len(s.keys) for s in segments]
        self._bases = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        rows = np.arange(int(self._bases[-1]), dtype=np.int32)
        keys = np.concatenate([s.keys for s in segments] or [np.empty(0, np.int64)])
        distinct, first = np.unique(keys, return_index=True)
        self._index = HashIndex(distinct, rows[first])
        self.hits = np.zeros(len(rows), dtype=np.int64)
        """(rows,) lookups answered by each row since this view was published."""

    @property
    def entries(self) -> int:
        """Distinct n-grams that a lookup can hit."""
        return self._index.entries

    @property
    def index_bytes(self) -> int:
        return self._index.nbytes

    def find(self, keys: Keys) -> Rows:
        """Row numbers for `keys` (N,), MISS where the table has none."""
        return self._index.find(keys)

    def count(self, rows: Rows, times: NDArray[np.int64]) -> None:
        """Note that distinct `rows` were used `times` each."""
        self.hits[rows] += times

    def gather(self, rows: Rows) -> RowArray:
        """Row numbers (N,), none of them MISS -> (N, 3, H) float16."""
        out = np.empty((len(rows), *self._shape), dtype=np.float16)
        for segment, start, end in zip(
            self.segments, self._bases[:-1], self._bases[1:], strict=True
        ):
            here = np.flatnonzero((rows >= start) & (rows < end))
            if here.size:
                out[here] = segment.rows[rows[here] - start]
        return out

    def source(self, row: int) -> str:
        """The node that row number `row` belongs to."""
        return self.segments[int(np.searchsorted(self._bases, row, side="right")) - 1].domain

    def used(self) -> tuple[Keys, NDArray[np.int64], NDArray[np.int64], Rows]:
        """Visible entries, most used first: keys, corpus counts, hits, row numbers."""
        keys = np.concatenate([s.keys for s in self.segments] or [np.empty(0, np.int64)])
        counts = np.concatenate([s.counts for s in self.segments] or [np.empty(0, np.int64)])
        rows = self.find(keys)
        own = np.flatnonzero(rows == np.arange(len(keys)))
        ranked = own[np.lexsort((keys[own], -counts[own], -self.hits[own]))]
        return keys[ranked], counts[ranked], self.hits[ranked], rows[ranked]


__all__ = ["MISS", "RowArray", "Segment", "TableView"]
