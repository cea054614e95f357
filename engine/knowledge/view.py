"""What a lookup in a domain sees: one flat index over its own rows and its ancestors'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.knowledge.index import MISS, HashIndex, Rows
from engine.model.ngrams import Keys
from engine.model.rows import row_bytes

RowArray = NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One node's stored rows: sorted `keys` (N,), `rows` (N, H + 4) int8, memory-mapped."""

    domain: str
    epoch: int
    keys: Keys
    rows: NDArray[Any]
    counts: NDArray[np.int64]
    """Occurrences of each key in the corpus it was built from."""
    encoder: str = ""
    """Fingerprint of the encoder that computed the rows, if it is known."""

    @property
    def nbytes(self) -> int:
        return int(self.rows.nbytes + self.keys.nbytes + self.counts.nbytes)


class TableView:
    """Immutable but for its counters: a batch that holds it sees one epoch of every node in it."""

    def __init__(self, domain: str, segments: tuple[Segment, ...], width: int) -> None:
        """Resolve `segments` (nearest node first) into one index; nearer rows hide farther.

        `width` is H.
        """
        self.domain = domain
        self.segments = segments
        self.width = width
        self._row_bytes = row_bytes(width)
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
        """Row numbers (N,), none of them MISS -> (N, H + 4) int8."""
        if len(self.segments) == 1:
            return np.asarray(self.segments[0].rows[rows])
        out = np.empty((len(rows), self._row_bytes), dtype=np.int8)
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

    def of(self, encoder: str) -> TableView:
        """Only the rows that the encoder of that fingerprint computed."""
        kept = tuple(s for s in self.segments if encoder != "" and s.encoder == encoder)
        if len(kept) == len(self.segments):
            return self
        return TableView(self.domain, kept, self.width)

    def made_by(self, rows: Rows, encoder: str) -> NDArray[np.bool_]:
        """(N,) which of the row numbers `rows` the encoder of that fingerprint computed."""
        made = np.array([encoder != "" and s.encoder == encoder for s in self.segments] or [False])
        found: NDArray[np.bool_] = made[np.searchsorted(self._bases, rows, side="right") - 1]
        return found

    def asked(self) -> tuple[Keys, NDArray[np.int64]]:
        """Keys of the rows that were hit, and how often, also while others count."""
        # As they are now: numpy looks twice for those that are not 0, and fails if there are more.
        hits = self.hits.copy()
        rows = np.flatnonzero(hits)
        keys = np.empty(len(rows), dtype=np.int64)
        ends = np.searchsorted(rows, self._bases)
        for segment, base, start, end in zip(
            self.segments, self._bases[:-1], ends[:-1], ends[1:], strict=True
        ):
            keys[start:end] = segment.keys[rows[start:end] - base]
        return keys, hits[rows]

    def used(self) -> tuple[Keys, NDArray[np.int64], NDArray[np.int64], Rows]:
        """Visible entries, most used first: keys, corpus counts, hits, row numbers."""
        keys = np.concatenate([s.keys for s in self.segments] or [np.empty(0, np.int64)])
        counts = np.concatenate([s.counts for s in self.segments] or [np.empty(0, np.int64)])
        rows = self.find(keys)
        own = np.flatnonzero(rows == np.arange(len(keys)))
        hits = self.hits.copy()
        ranked = own[np.lexsort((keys[own], -counts[own], -hits[own]))]
        return keys[ranked], counts[ranked], hits[ranked], rows[ranked]


__all__ = ["MISS", "RowArray", "Segment", "TableView"]
