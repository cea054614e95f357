"""The retrieve stage's work: token ids in, table rows out, misses computed or backed off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.knowledge.build import compute_rows
from engine.knowledge.index import MISS
from engine.knowledge.view import TableView
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import Ids, order, pack, shortened_keys, trigrams

MissPolicy = Literal["compute", "backoff"]


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """One domain at one moment: what a batch holds from beginning to end."""

    domain: str
    epoch: int
    view: TableView
    encoder: NgramEncoder
    damage: str | None = None
    """Why the domain's own table cannot be used, if it cannot."""


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    """`rows` (U, 3, H) float16 on the host, `which` (T,) the row of each token.

    `hit` and `backed_off` (T,) tell where each token's row came from; the rest were computed.
    """

    rows: Tensor
    which: Tensor
    hit: NDArray[np.bool_]
    backed_off: NDArray[np.bool_]


def retrieve(
    ids: Ids, lengths: Ids, knowledge: Knowledge, miss: MissPolicy = "compute"
) -> Retrieved:
    """Look up every token of packed rows; each distinct n-gram is probed and computed once.

    `ids` (T,) and `lengths` (B,) int64. With "backoff" a missed trigram takes its bigram's row,
    else its unigram's, which is computed if the table lacks even that.
    """
    view, encoder = knowledge.view, knowledge.encoder
    keys, which, times = np.unique(
        pack(trigrams(ids, lengths, encoder.boundary)), return_inverse=True, return_counts=True
    )
    found = view.find(keys)
    hit = found != MISS
    view.count(found[hit], times[hit])
    backed_off = np.zeros(len(keys), dtype=np.bool_)
    if miss == "backoff":
        keys, found = _back_off(view, keys, found)
        backed_off = ~hit
    rows = np.empty((len(keys), 3, encoder.shape.hidden), dtype=np.float16)
    there = found != MISS
    rows[there] = view.gather(found[there])
    if not there.all():
        rows[~there] = compute_rows(encoder, keys[~there])
    return Retrieved(torch.from_numpy(rows), torch.from_numpy(which), hit[which], backed_off[which])


def _back_off(
    view: TableView, keys: NDArray[np.int64], found: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    keys, found = keys.copy(), found.copy()
    for _ in range(2):
        missed = np.flatnonzero((found == MISS) & (order(keys) > 1))
        keys[missed] = shortened_keys(keys[missed])
        found[missed] = view.find(keys[missed])
    return keys, found
