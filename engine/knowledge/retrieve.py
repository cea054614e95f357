"""The retrieve stage's work: token ids in, table rows out, misses computed or backed off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.knowledge.build import compute_rows
from engine.knowledge.index import MISS
from engine.knowledge.retrieved import Retrieved
from engine.knowledge.row_cache import CacheShare
from engine.knowledge.traffic import Traffic
from engine.knowledge.view import TableView
from engine.model.bridge import Bridge
from engine.model.cached import CachedRows
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import Ids, Keys, order, pack, shortened_keys
from engine.model.packing import Packing
from engine.model.rows import row_bytes

MissPolicy = Literal["compute", "backoff"]


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a domain's knowledge and what to do about it."""

    detail: str
    remedy: str
    code: str


@dataclass(frozen=True, slots=True, eq=False)
class Knowledge:
    """One domain at one moment: what a batch holds from beginning to end."""

    domain: str
    epoch: int
    view: TableView
    encoder: NgramEncoder
    bridge: Bridge
    damage: Damage | None = None
    """Why plot mode cannot be served here, if it cannot."""
    cache: CacheShare | None = None
    """Rows computed lately, shared by all who use the encoder."""
    traffic: Traffic = field(default_factory=Traffic)
    """What is asked for here; it outlives the view."""

    def assemble(self, found: Retrieved, packing: Packing) -> Tensor:
        """The hidden state of layer k (T, H) in the backbone's dtype, on the packing's device.

        Where the packing has more places than were looked up, they belong to nobody.
        """
        device = packing.device
        which = F.pad(found.which, (0, packing.total - len(found.which)))
        return self.bridge.assemble(found.rows.to(device), which.to(device), packing)

    def assemble_on(self, found: Retrieved, cached: CachedRows) -> Tensor:
        """The same for a decoder's new tokens, which hear the earlier ones through the pool."""
        device = cached.position.device
        which = F.pad(found.which, (0, len(cached.position) - len(found.which)))
        return self.bridge.assemble_on(found.rows.to(device), which.to(device), cached)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Packed token `ids` (T,) of texts of `lengths` (B,), int64, and the knowledge to ask.

    `seconds` (B,): where in each a second text begins, 0 if it has none; None if none has. Of texts
    that go on, a decoder's, `before` (B, 2) are the tokens in front, the farther first.
    """

    ids: Ids
    lengths: Ids
    knowledge: Knowledge
    miss: MissPolicy = "compute"
    before: Ids | None = None
    seconds: Ids | None = None


def retrieve(
    ids: Ids,
    lengths: Ids,
    knowledge: Knowledge,
    miss: MissPolicy = "compute",
    seconds: Ids | None = None,
) -> Retrieved:
    """Look up every token of packed rows; see `retrieve_all`."""
    return retrieve_all([Asked(ids, lengths, knowledge, miss, seconds=seconds)])[0]


def retrieve_all(asked: Sequence[Asked]) -> list[Retrieved]:
    """Look up every token of each; a distinct n-gram is probed once in each, and computed once for
    all that share an encoder.

    With "backoff" a missed trigram takes its bigram's row, else its unigram's, which is computed
    if the table lacks even that.
    """
    found = [_find(each) for each in asked]
    for group in _by_encoder(asked):
        _fill([found[i] for i in group], asked[group[0]].knowledge)
    return [each.retrieved() for each in found]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What tables say to distinct `keys` (U,): `rows` (U, H + 4) are empty at `missing`.

    `which` (T,) is each token's key; `hit`, `backed_off` (T,) as in Retrieved, `cached` (U,).
    """

    keys: Keys
    rows: NDArray[np.int8]
    missing: NDArray[np.int64]
    cached: NDArray[np.bool_]
    which: NDArray[np.int64]
    hit: NDArray[np.bool_]
    backed_off: NDArray[np.bool_]

    def retrieved(self) -> Retrieved:
        return Retrieved(
            rows=torch.from_numpy(self.rows),
            which=torch.from_numpy(self.which),
            hit=self.hit,
            backed_off=self.backed_off,
            cached=self.cached[self.which] & ~self.backed_off,
        )


def _find(asked: Asked) -> _Found:
    knowledge = asked.knowledge
    view, encoder = knowledge.view, knowledge.encoder
    grams = encoder.grams(asked.ids, asked.lengths, asked.before, asked.seconds)
    keys, which, times = np.unique(pack(grams), return_inverse=True, return_counts=True)
    found = view.find(keys)
    hit = found != MISS
    view.count(found[hit], times[hit])
    knowledge.traffic.add_missed(keys[~hit], times[~hit])
    backed_off = np.zeros(len(keys), dtype=np.bool_)
    row_of = which
    if asked.miss == "backoff":
        backed_off = ~hit
        keys, found, merged = _back_off(view, keys, found)
        row_of = merged[which]
    rows = np.empty((len(keys), row_bytes(encoder.shape.hidden)), dtype=np.int8)
    there = found != MISS
    rows[there] = view.gather(found[there])
    return _Found(
        keys=keys,
        rows=rows,
        missing=np.flatnonzero(~there),
        cached=np.zeros(len(keys), dtype=np.bool_),
        which=row_of,
        hit=hit[which],
        backed_off=backed_off[which],
    )


def _by_encoder(asked: Sequence[Asked]) -> list[list[int]]:
    """Which of `asked` share an encoder, and with it a cache."""
    groups: dict[int, list[int]] = {}
    for i, each in enumerate(asked):
        groups.setdefault(id(each.knowledge.encoder), []).append(i)
    return list(groups.values())


def _fill(found: list[_Found], knowledge: Knowledge) -> None:
    """Complete the rows of all of them from the cache or by computing, and note the cached."""
    asked = np.concatenate([each.keys[each.missing] for each in found])
    if not asked.size:
        return
    keys, which = np.unique(asked, return_inverse=True)
    rows = np.empty((len(keys), found[0].rows.shape[1]), dtype=np.int8)
    cached = np.zeros(len(keys), dtype=np.bool_)
    if knowledge.cache is not None:
        cached = knowledge.cache.take(keys, rows)
    missing = np.flatnonzero(~cached)
    if missing.size:
        rows[missing] = compute_rows(knowledge.encoder, keys[missing])
        if knowledge.cache is not None:
            knowledge.cache.admit(keys[missing], rows[missing])
    start = 0
    for each in found:
        own = which[start : start + len(each.missing)]
        each.rows[each.missing] = rows[own]
        each.cached[each.missing] = cached[own]
        start += len(each.missing)


def _back_off(
    view: TableView, keys: NDArray[np.int64], found: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Shorter keys for those not found, distinct again, and where each of `keys` went."""
    keys, found = keys.copy(), found.copy()
    for _ in range(2):
        missed = np.flatnonzero((found == MISS) & (order(keys) > 1))
        keys[missed] = shortened_keys(keys[missed])
        found[missed] = view.find(keys[missed])
    shorter, first, merged = np.unique(keys, return_index=True, return_inverse=True)
    return shorter, found[first], merged
