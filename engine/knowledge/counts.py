"""Counting a corpus's n-grams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.model.backbone import Backbone
from engine.model.ngrams import Keys, ngrams, order, pack, shortened_keys

Counts = NDArray[np.int64]
_BLOCK = 1024
_FOLD = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class NgramCounts:
    """Distinct `keys` (N,), sorted, with how often each occurs; of orders 1 to 3."""

    keys: Keys
    counts: Counts
    tokens: int
    causal: bool = False
    """Whether they are a decoder's."""

    def of_order(self, wanted: int) -> tuple[Keys, Counts]:
        here = order(self.keys) == wanted
        return self.keys[here], self.counts[here]


def _fold(parts: list[tuple[Keys, Counts]]) -> tuple[Keys, Counts]:
    keys = np.concatenate([k for k, _ in parts])
    counts = np.concatenate([c for _, c in parts])
    distinct, which = np.unique(keys, return_inverse=True)
    return distinct, np.bincount(which, weights=counts, minlength=len(distinct)).astype(np.int64)


def count_ngrams(
    backbone: Backbone,
    lines: Iterable[str],
    boundary: int,
    progress: Callable[[int], None] = lambda _: None,
) -> NgramCounts:
    """Count the trigrams of every line, and the bigrams and unigrams they back off to.

    An encoder's lines are documents, cut where it reads no further; a decoder's are running text.
    `progress` is called with the number of lines done and may raise to stop.
    """
    causal = backbone.shape.causal
    parts: list[tuple[Keys, Counts]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    tokens = done = pending = 0
    block: list[str] = []

    def take() -> None:
        nonlocal tokens, done, pending, parts
        rows = backbone.rows(block)
        lengths = np.array([len(row) for row in rows])
        ids = np.fromiter((t for row in rows for t in row), np.int64, int(lengths.sum()))
        three = pack(ngrams(ids, lengths, boundary, causal=causal))
        two = shortened_keys(three)
        keys, counts = np.unique(
            np.concatenate([three, two, shortened_keys(two)]), return_counts=True
        )
        parts.append((keys, counts.astype(np.int64)))
        pending += len(keys)
        tokens += len(ids)
        done += len(block)
        block.clear()
        if pending > _FOLD:
            parts, pending = [_fold(parts)], 0
        progress(done)

    for line in lines:
        block.append(line)
        if len(block) == _BLOCK:
            take()
    if block:
        take()
    keys, counts = _fold(parts)
    return NgramCounts(keys, counts, tokens, causal)
