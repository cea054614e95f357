"""What a corpus promises: the hit rate that a table of it can have on further text of its kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.model.backbone import Backbone
from engine.model.ngrams import ngrams, pack


@dataclass(frozen=True, slots=True)
class Expectation:
    """`hit_rate` is the share of a document's trigrams that the other documents hold as well."""

    tokens: int
    hit_rate: float


def expect(backbone: Backbone, documents: Iterable[str], boundary: int) -> Expectation:
    """Leave each document out in turn and look it up in the rest. For few documents: all their
    trigrams are in memory at once.

    It is what a table of every trigram would reach; one that keeps only the frequent reaches less.
    """
    rows = [backbone.cut(ids)[0] for ids in backbone.tokenize(list(documents))]
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    ids = np.fromiter((t for row in rows for t in row), np.int64, int(lengths.sum()))
    if not ids.size:
        return Expectation(0, 0.0)
    keys = pack(ngrams(ids, lengths, boundary, causal=backbone.shape.causal))
    documents_of = np.repeat(np.arange(len(rows)), lengths)
    by_document = np.unique(np.stack([keys, documents_of], axis=1), axis=0)
    distinct, holders = np.unique(by_document[:, 0], return_counts=True)
    elsewhere = holders[np.searchsorted(distinct, keys)] > 1
    return Expectation(len(ids), float(elsewhere.mean()))
