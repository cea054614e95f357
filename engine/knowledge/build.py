"""Building a node's table: count, choose, compute, keep what differs, write, publish."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from engine.errors import Cancelled
from engine.knowledge.counts import choose, count_ngrams
from engine.knowledge.index import LOAD, MISS
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import SLOTS, unpack
from store.tables import TableWriter

_COUNTING = 0.1
"""Share of the progress bar that counting takes."""
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """`alpha`: share of occurrences to cover; `budget`: bytes; `threshold`: least difference."""

    alpha: float = 0.5
    budget: int = 256 << 20
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: `chosen` n-grams, of which `kept` differed from what they inherit."""

    tokens: int
    distinct: int
    chosen: int
    kept: int
    coverage: float
    """Share of the corpus's trigram occurrences whose trigram was chosen."""
    seconds: float


Progress = Callable[[float, str], None]


def entry_bytes(hidden: int) -> int:
    """Bytes of one entry: three float16 vectors, its key, its count and its place in an index."""
    return SLOTS * hidden * 2 + 8 + 8 + int(12 / LOAD)


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
    """Fill `writer` with the node's overrides; the caller commits it. Raises Cancelled."""
    began = time.perf_counter()

    def check() -> None:
        if cancelled():
            raise Cancelled("The rebuild was cancelled; the old epoch goes on serving.")

    def counted(done: int) -> None:
        check()
        progress(_COUNTING * done / max(total_lines, 1), f"counting: {done:,} lines")

    found = count_ngrams(backbone, lines, encoder.boundary, counted)
    keys, counts = choose(found, plan.alpha, plan.budget // entry_bytes(backbone.shape.hidden))
    kept_counts: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    kept = 0
    for start in range(0, len(keys), _CHUNK):
        check()
        part = keys[start : start + _CHUNK]
        rows = compute_rows(encoder, part)
        differs = _differs(part, rows, inherited, plan.threshold)
        writer.append(part[differs], rows[differs])
        kept_counts.append(counts[start : start + _CHUNK][differs])
        kept += int(differs.sum())
        done = start + len(part)
        share = _COUNTING + (1 - _COUNTING) * done / len(keys)
        progress(share, f"computing rows: {done:,} of {len(keys):,}, {kept:,} kept")
    writer.meta["encoder"] = encoder.fingerprint()
    writer.set("counts", np.concatenate([*kept_counts, np.empty(0, np.int64)]))
    three, occurrences = found.of_order(SLOTS)
    covered = occurrences[np.isin(three, keys, assume_unique=True)].sum()
    return BuildReport(
        tokens=found.tokens,
        distinct=len(found.keys),
        chosen=len(keys),
        kept=kept,
        coverage=float(covered / max(int(occurrences.sum()), 1)),
        seconds=time.perf_counter() - began,
    )


@torch.inference_mode()
def compute_rows(
    encoder: NgramEncoder, keys: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int, int, int], np.dtype[np.float16]]:
    """Keys (N,) -> rows (N, 3, H) float16, as the miss path computes them."""
    device = encoder.edge.device
    rows = encoder.compute(torch.from_numpy(unpack(keys)).to(device))
    array: np.ndarray[tuple[int, int, int], np.dtype[np.float16]] = rows.cpu().numpy()
    return array


def _differs(
    keys: np.ndarray[tuple[int], np.dtype[np.int64]],
    rows: np.ndarray[tuple[int, int, int], np.dtype[np.float16]],
    inherited: TableView,
    threshold: float,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """(N,) True where the node's value is new, or further than `threshold` from the inherited."""
    there = inherited.find(keys)
    known = np.flatnonzero(there != MISS)
    keep = np.ones(len(keys), dtype=np.bool_)
    if known.size:
        theirs = inherited.gather(there[known]).astype(np.float32)
        distance = np.abs(rows[known].astype(np.float32) - theirs).mean(axis=(1, 2))
        keep[known] = distance > threshold
    return keep
