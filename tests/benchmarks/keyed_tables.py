"""Tables without numbers: what is stored and hit depends on the n-grams alone, not on their rows.

A node that computes with its parent's encoder inherits every row at its own value; so which rows
it stores can be measured in seconds, where computing them would take minutes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from engine.knowledge.build import entry_bytes
from engine.knowledge.choice import Choice, Demand, choose
from engine.knowledge.counts import NgramCounts, count_ngrams
from engine.knowledge.index import MISS
from engine.knowledge.retrieved import Lookups
from engine.knowledge.traffic import Traffic
from engine.knowledge.view import Segment, TableView
from engine.model.backbone import Backbone
from engine.model.ngrams import Keys, order, pack, trigrams
from engine.model.rows import row_bytes

UNLIMITED = 1 << 50
"""Bytes."""


def count(backbone: Backbone, lines: Iterable[str]) -> NgramCounts:
    return count_ngrams(backbone, lines, backbone.shape.vocab)


def keys_of(backbone: Backbone, texts: list[str]) -> list[Keys]:
    """The trigrams of each text, one a token."""
    rows = [np.array(backbone.cut(ids)[0], dtype=np.int64) for ids in backbone.tokenize(texts)]
    edge = backbone.shape.vocab
    return [pack(trigrams(ids, np.array([len(ids)]), edge)) for ids in rows]


class Shelf:
    """A node's table over its ancestors'."""

    def __init__(self, backbone: Backbone, name: str, above: Shelf | None = None) -> None:
        self._width = backbone.shape.hidden
        self._name = name
        self._above = above
        self.view: TableView
        self.put(Choice(np.empty(0, np.int64), np.empty(0, np.int64)))

    def put(self, choice: Choice) -> None:
        """Publish what was chosen."""
        shape = (len(choice.keys), row_bytes(self._width))
        rows = np.broadcast_to(np.zeros((1, 1), dtype=np.int8), shape)
        own = Segment(self._name, 1, choice.keys, rows, choice.counts)
        inherited = () if self._above is None else self._above.view.segments
        self.view = TableView(self._name, (own, *inherited), self._width)
        self.own = choice.keys

    def choose(self, demand: Demand, alpha: float, budget: int = UNLIMITED) -> Choice:
        inherited = np.zeros(len(demand.keys), dtype=np.bool_)
        if self._above is not None:
            inherited = self._above.sees(demand.keys)
        return choose(demand, inherited, alpha, budget, entry_bytes(self._width))

    @property
    def nbytes(self) -> int:
        """Of its own entries."""
        return len(self.own) * entry_bytes(self._width)

    @property
    def entries(self) -> list[int]:
        """Its own unigrams, bigrams and trigrams."""
        counted: list[int] = np.bincount(order(self.own), minlength=4)[1:].tolist()
        return counted

    def sees(self, keys: Keys) -> NDArray[np.bool_]:
        """(N,) which of `keys` a lookup would find."""
        seen: NDArray[np.bool_] = self.view.find(keys) != MISS
        return seen

    def hit_rate(self, texts: list[Keys]) -> float:
        """Share of all tokens that would be answered; nothing is counted."""
        return float(self.sees(np.concatenate(texts)).mean())

    def serve(self, traffic: Traffic, texts: list[Keys], batch: int = 32) -> None:
        """Look the texts up in batches and count that, as the retrieve stage does."""
        for start in range(0, len(texts), batch):
            keys, times = np.unique(
                np.concatenate(texts[start : start + batch]), return_counts=True
            )
            rows = self.view.find(keys)
            hit = rows != MISS
            self.view.count(rows[hit], times[hit])
            traffic.add_missed(keys[~hit], times[~hit])
            hits = int(times[hit].sum())
            traffic.add(Lookups(hits, 0, 0, int(times.sum()) - hits))
