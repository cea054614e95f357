"""Building a node's table: count, choose, compute, keep what differs, write, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import Cancelled
from engine.knowledge.choice import NO_KEYS, TRAFFIC_WEIGHT, Demand, choose, coverage, merge
from engine.knowledge.counts import count_ngrams
from engine.knowledge.index import ENTRY_BYTES, MISS
from engine.knowledge.traffic import NOTHING_ASKED, Asked
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import SLOTS, Keys, order, unpack
from engine.model.rows import decode_rows, row_bytes
from store.tables import TableWriter

_COUNTING = 0.1
"""Share of the progress bar that counting takes."""
_CHUNK = 1024
_NO_LIMIT = 1 << 50
WANTED = "wanted"
"""The table's array of keys that the node would store if it stood alone."""


@dataclass(frozen=True, slots=True, eq=False)
class BuildPlan:
    """`alpha`: share of occurrences to cover; `budget`: bytes; `threshold`: least difference.

    `asked` is the traffic to weigh along, at most `traffic_weight` of 1, and `before` the view that
    counted it, which the new table is to replace. `shared` are n-grams that several nodes below
    would each store: kept here, they are stored once.
    """

    alpha: float = 0.5
    budget: int = 256 << 20
    threshold: float = 0.0
    traffic_weight: float = TRAFFIC_WEIGHT
    asked: Asked = NOTHING_ASKED
    before: TableView | None = None
    shared: Keys = field(default_factory=lambda: NO_KEYS)


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: `entries` were written; `inherited` n-grams of corpus and traffic were
    left to the ancestors, `shared` ones are kept for the nodes below.

    Beside the node's table before: `kept` entries were in it, `evicted` ones are no more, and
    `promoted` ones had been asked for and missed.
    """

    tokens: int
    lookups: int
    distinct: int
    entries: int
    inherited: int
    shared: int
    kept: int
    evicted: int
    promoted: int
    coverage_before: float
    """Share of all trigram occurrences, corpus and traffic weighed, that lookups answered."""
    coverage: float
    """The same share now."""
    seconds: float


Progress = Callable[[float, str], None]


def entry_bytes(hidden: int) -> int:
    """Bytes of one entry: its row, its key, its count and its place in an index."""
    return row_bytes(hidden) + 8 + 8 + ENTRY_BYTES


def build_table(
    writer: TableWriter,
    lines: Iterable[str],
    total_lines: int,
    backbone: Backbone,
    encoder: NgramEncoder,
    inherited: TableView,
    plan: BuildPlan,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> BuildReport:
    """Fill `writer` with the node's overrides; the caller commits it. Raises Cancelled.

    Without a threshold nothing is inherited but what the same encoder made.
    """
    began = time.perf_counter()
    if plan.threshold == 0:
        inherited = inherited.of(encoder.fingerprint())

    def check() -> None:
        if cancelled():
            raise Cancelled("The rebuild was cancelled; the old epoch goes on serving.")

    def counted(done: int) -> None:
        check()
        progress(_COUNTING * done / max(total_lines, 1), f"counting: {done:,} lines")

    found = count_ngrams(backbone, lines, encoder.boundary, counted)
    demand = merge(found, plan.asked, plan.traffic_weight, plan.shared)
    progress(_COUNTING, "comparing with what is inherited")
    free = _answered(demand.keys, encoder, inherited, plan.threshold, check)
    chosen = choose(demand, free, plan.alpha, plan.budget, entry_bytes(backbone.shape.hidden))
    keys = chosen.keys
    for start in range(0, len(keys), _CHUNK):
        check()
        part = keys[start : start + _CHUNK]
        writer.append(part, compute_rows(encoder, part))
        done = start + len(part)
        share = _COUNTING + (1 - _COUNTING) * done / len(keys)
        progress(share, f"computing rows: {done:,} of {len(keys):,}")
    writer.meta["encoder"] = encoder.fingerprint()
    writer.meta["backbone_sha256"] = backbone.checkpoint.sha256
    writer.set("counts", chosen.counts)
    writer.set(WANTED, _alone(demand, plan.alpha))
    return _report(demand, keys, free, inherited, plan, time.perf_counter() - began)


def compute_rows(
    encoder: NgramEncoder, keys: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Keys (N,) -> rows (N, H + 4) int8, as the miss path computes them."""
    device = encoder.edge.device
    rows = encoder.compute(torch.from_numpy(unpack(keys)).to(device))
    array: np.ndarray[tuple[int, int], np.dtype[np.int8]] = rows.cpu().numpy()
    return array


def _answered(
    keys: Keys,
    encoder: NgramEncoder,
    inherited: TableView,
    threshold: float,
    check: Callable[[], None],
) -> NDArray[np.bool_]:
    """(N,) True where an ancestor's row says what `encoder` would, within `threshold`."""
    rows = inherited.find(keys)
    answered: NDArray[np.bool_] = rows != MISS
    same = inherited.made_by(rows[answered], encoder.fingerprint())
    unsure = np.flatnonzero(answered)[~same]
    for start in range(0, len(unsure), _CHUNK):
        check()
        part = unsure[start : start + _CHUNK]
        ours, theirs = (
            decode_rows(torch.from_numpy(each))
            for each in (compute_rows(encoder, keys[part]), inherited.gather(rows[part]))
        )
        answered[part] = ((ours - theirs).abs().mean(1) <= threshold).numpy()
    return answered


def _alone(demand: Demand, alpha: float) -> Keys:
    """What the node would store if it inherited nothing and had all the room it liked."""
    nothing = np.zeros(len(demand.keys), dtype=np.bool_)
    return choose(demand, nothing, alpha, _NO_LIMIT, 1).keys


def _report(
    demand: Demand,
    keys: Keys,
    free: NDArray[np.bool_],
    inherited: TableView,
    plan: BuildPlan,
    seconds: float,
) -> BuildReport:
    before = plan.before
    own = [] if before is None else [s.keys for s in before.segments if s.domain == before.domain]
    had = np.concatenate([*own, np.empty(0, np.int64)])
    stays = np.isin(had, keys, assume_unique=True)
    answered = inherited.find(demand.keys) != MISS
    seen = answered if before is None else before.find(demand.keys) != MISS
    named = (demand.counts > 0) | (demand.times > 0)
    # Lookups ask for trigrams; the shorter ones are what those back off to.
    missed = demand.keys[(demand.times > 0) & ~seen & (order(demand.keys) == SLOTS)]
    return BuildReport(
        tokens=demand.tokens,
        lookups=demand.lookups,
        distinct=int(named.sum()),
        entries=len(keys),
        inherited=int((free & named).sum()),
        shared=int(np.isin(keys, demand.keys[demand.shared], assume_unique=True).sum()),
        kept=int(stays.sum()),
        evicted=int((~stays).sum()),
        promoted=int(np.isin(missed, keys, assume_unique=True).sum()),
        coverage_before=coverage(demand, seen),
        coverage=coverage(demand, answered | np.isin(demand.keys, keys, assume_unique=True)),
        seconds=seconds,
    )
