"""`hmi bench lookup`: the table's index against Python dictionaries, probed side by side."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from engine.bench.table import number, table
from engine.knowledge.index import HashIndex
from engine.model.ngrams import SLOTS, Ids, pack

VOCABULARY = 30_522
"""The bundled backbone's."""
_ROUND = 65_536
"""Tokens that a side looks up before it is the next one's turn: time to have the CPU's caches."""
_LEAST_ROUNDS = 5
_WARM_UP = 1

_SPEED_HEADS = (
    *(">ENTRIES", ">HITS", ">BATCH", ">FIND NS", ">DICT NS", ">TIMES"),
    *(">PACK+FIND NS", ">TUPLE DICT NS", ">TIMES"),
)
_SIZE_HEADS = (">ENTRIES", ">INDEX B/ENTRY", ">DICT B/ENTRY", ">INDEX BUILT IN S")


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """Every size is crossed with every hit rate and every batch; `lookups` tokens for each."""

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    hit_rates: tuple[float, ...] = (0.3, 0.7, 1.0)
    batches: tuple[int, ...] = (512, 4096, 65536)
    lookups: int = 500_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class LookupCell:
    """Median nanoseconds a token. All sides look up the same n-grams, in turns."""

    entries: int
    hit_rate: float
    batch: int
    find_ns: float
    """HashIndex.find on an array of keys."""
    dict_ns: float
    """dict.get on each of a list of the same keys as Python integers."""
    pack_find_ns: float
    """From token ids: making the keys, then find."""
    tuple_ns: float
    """From token ids: making a tuple, then dict.get, as SkipBERT's code does."""

    @property
    def over_dict(self) -> float:
        return self.dict_ns / self.find_ns

    @property
    def over_tuples(self) -> float:
        return self.tuple_ns / self.pack_find_ns


@dataclass(frozen=True, slots=True)
class IndexSize:
    """Bytes an entry, rows apart: the index, and a dictionary of integers with its keys."""

    entries: int
    index_bytes: float
    dict_bytes: float
    build_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Contents:
    """One table's n-grams, held in all three ways, and others that it does not hold."""

    grams: Ids
    absent: Ids
    index: HashIndex
    by_key: dict[int, int]
    by_tuple: dict[tuple[int, ...], int]
    size: IndexSize


def measure_lookup(
    plan: LookupPlan, say: Callable[[str], None]
) -> tuple[list[IndexSize], list[LookupCell]]:
    """Probe tables of random trigrams at random places, the worst case for the CPU's caches."""
    sizes: list[IndexSize] = []
    cells: list[LookupCell] = []
    crossed = [(hits, batch) for hits in plan.hit_rates for batch in plan.batches]
    for entries in plan.sizes:
        say(f"a table of {entries:,} entries")
        rng = np.random.default_rng([plan.seed, entries])
        contents = _fill(entries, rng)
        sizes.append(contents.size)
        cells += [_probe(contents, hits, batch, plan.lookups, rng) for hits, batch in crossed]
    return sizes, cells


def render_lookup(sizes: list[IndexSize], cells: list[LookupCell]) -> str:
    speed = table(
        _SPEED_HEADS,
        (
            (
                f"{c.entries:,}",
                f"{c.hit_rate:.0%}",
                f"{c.batch:,}",
                number(c.find_ns, 1),
                number(c.dict_ns, 1),
                number(c.over_dict, 1),
                number(c.pack_find_ns, 1),
                number(c.tuple_ns, 1),
                number(c.over_tuples, 1),
            )
            for c in cells
        ),
    )
    size = table(
        _SIZE_HEADS,
        (
            (f"{s.entries:,}", number(s.index_bytes), number(s.dict_bytes), number(s.build_s, 3))
            for s in sizes
        ),
    )
    return f"{speed}\n\n{size}"


def lookup_results(sizes: list[IndexSize], cells: list[LookupCell]) -> dict[str, Any]:
    return {
        "sizes": [asdict(size) for size in sizes],
        "cells": [
            asdict(c) | {"over_dict": c.over_dict, "over_tuples": c.over_tuples} for c in cells
        ],
    }


def _fill(entries: int, rng: np.random.Generator) -> _Contents:
    grams = _distinct(2 * entries, rng)
    held, absent = grams[:entries], grams[entries:]
    keys, rows = pack(held), np.arange(entries, dtype=np.int32)
    began = time.perf_counter()
    index = HashIndex(keys, rows)
    took = time.perf_counter() - began
    by_key = dict(zip(keys.tolist(), range(entries), strict=True))
    by_tuple = dict(zip(map(tuple, held.tolist()), range(entries), strict=True))
    of_dict = sys.getsizeof(by_key) + entries * (sys.getsizeof(1 << 61) + sys.getsizeof(1 << 16))
    size = IndexSize(entries, index.nbytes / entries, of_dict / entries, took)
    return _Contents(held, absent, index, by_key, by_tuple, size)


def _distinct(count: int, rng: np.random.Generator) -> Ids:
    """(count, 3) trigrams, no two the same."""
    drawn: Ids = rng.integers(0, VOCABULARY, size=(count + count // 8 + 64, SLOTS))
    _, first = np.unique(pack(drawn), return_index=True)
    kept: Ids = drawn[rng.permutation(first)[:count]]
    return kept


def _probe(
    contents: _Contents, hit_rate: float, batch: int, lookups: int, rng: np.random.Generator
) -> LookupCell:
    batches = max(1, _ROUND // batch)
    rounds = _WARM_UP + max(_LEAST_ROUNDS, lookups // (batch * batches))
    spent: dict[str, list[float]] = {}
    with _no_collections():
        for _ in range(rounds):
            drawn = [_draw(contents, hit_rate, batch, rng) for _ in range(batches)]
            for side, run in _sides(contents, drawn).items():
                began = time.perf_counter_ns()
                run()
                took = time.perf_counter_ns() - began
                spent.setdefault(side, []).append(took / (batch * batches))
    medians = {f"{side}_ns": median(times[_WARM_UP:]) for side, times in spent.items()}
    return LookupCell(len(contents.grams), hit_rate, batch, **medians)


def _sides(contents: _Contents, drawn: list[Ids]) -> dict[str, Callable[[], object]]:
    """Each way to look up all the batches `drawn`, what it starts from made beforehand."""
    index = contents.index
    by_key, by_tuple = contents.by_key.get, contents.by_tuple.get
    arrays = [pack(grams) for grams in drawn]
    numbers = [keys.tolist() for keys in arrays]
    ids = [grams.T.tolist() for grams in drawn]
    return {
        "find": lambda: [index.find(keys) for keys in arrays],
        "dict": lambda: [[by_key(key) for key in keys] for keys in numbers],
        "pack_find": lambda: [index.find(pack(grams)) for grams in drawn],
        "tuple": lambda: [[by_tuple(g) for g in zip(*slots, strict=True)] for slots in ids],
    }


def _draw(contents: _Contents, hit_rate: float, batch: int, rng: np.random.Generator) -> Ids:
    """A batch of trigrams in random order, `hit_rate` of them in the table."""
    hits = round(hit_rate * batch)
    there = contents.grams[rng.integers(0, len(contents.grams), hits)]
    not_there = contents.absent[rng.integers(0, len(contents.absent), batch - hits)]
    drawn: Ids = rng.permutation(np.concatenate([there, not_there]))
    return drawn


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """The collector would walk a million tuples in the middle of the dictionaries' turns."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
