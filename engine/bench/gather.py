"""The other half of a lookup: rows gathered from a table that lies on disk, mapped into memory."""

from __future__ import annotations

import mmap
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from engine.bench.ending import throwaway_folder
from engine.bench.table import number, table
from engine.knowledge.view import Segment, TableView
from engine.model.rows import row_bytes
from store.tables import StoredTable, TableFiles

_DOMAIN = "bench"
_CHUNK = 8192
_ROUNDS = 9
_WARM_UP = 1


@dataclass(frozen=True, slots=True)
class GatherPlan:
    """A table of `table_bytes`, gathered from with all of it in memory, and with `cache_bytes`."""

    table_bytes: int = 256 << 20
    cache_bytes: int = 64 << 20
    width: int = 384
    """H, as the rows of the bundled backbone."""
    batches: tuple[int, ...] = (512, 4096)
    seed: int = 0


@dataclass(frozen=True, slots=True)
class GatherCell:
    """Median of gathering `batch` random rows with `resident` (a share) of the table in memory."""

    resident: float
    batch: int
    row_ns: float
    faults_per_row: float
    """Reads from disk (major page faults). None at all with little resident: the system keeps
    the file elsewhere, and the figure says nothing about disks."""


def measure_gather(plan: GatherPlan, say: Callable[[str], None]) -> list[GatherCell]:
    """Write a table, map it, gather from it; the file is gone afterwards."""
    with throwaway_folder() as folder:
        say(f"a table of {plan.table_bytes / (1 << 20):,.0f} MiB on disk in {folder.parent}")
        tables = TableFiles(folder)
        _write(tables, plan)
        table_ = tables.open(_DOMAIN, 1)
        path = tables.folder(_DOMAIN, 1) / "rows.npy"
        segment = Segment(
            _DOMAIN, 1, table_.keys, table_.rows, np.zeros(len(table_.keys), dtype=np.int64)
        )
        view = TableView(_DOMAIN, (segment,), plan.width)
        return [
            _gather(view, table_, path, resident, batch, plan.seed)
            for resident in (1.0, min(1.0, plan.cache_bytes / plan.table_bytes))
            for batch in plan.batches
        ]


def render_gather(cells: list[GatherCell]) -> str:
    return table(
        (">IN MEMORY", ">BATCH", ">GATHER NS/ROW", ">DISK READS/ROW"),
        (
            (f"{c.resident:.0%}", f"{c.batch:,}", number(c.row_ns, 0), number(c.faults_per_row, 3))
            for c in cells
        ),
    )


def gather_results(cells: list[GatherCell]) -> dict[str, Any]:
    return {"gather": [asdict(cell) for cell in cells]}


def _write(tables: TableFiles, plan: GatherPlan) -> None:
    """Rows of random bytes, so that nothing below can compress them away."""
    width = row_bytes(plan.width)
    rng = np.random.default_rng(plan.seed)
    entries = max(_CHUNK, plan.table_bytes // width)
    with tables.writer(_DOMAIN, 1, (width,), np.int8) as writer:
        for start in range(0, entries, _CHUNK):
            keys = np.arange(start, min(start + _CHUNK, entries), dtype=np.int64)
            size = (len(keys), width)
            writer.append(keys, rng.integers(-128, 128, size=size, dtype=np.int8))
        writer.commit()


def _gather(
    view: TableView, stored: StoredTable, path: Path, resident: float, batch: int, seed: int
) -> GatherCell:
    rng = np.random.default_rng([seed, batch])
    times: list[int] = []
    faults: list[int] = []
    for _ in range(_ROUNDS):
        # Every gather brings pages in, so each starts from the same state again.
        _settle(stored, path, resident)
        rows = rng.integers(0, view.entries, batch).astype(np.int32)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_majflt
        began = time.perf_counter_ns()
        view.gather(rows)
        times.append(time.perf_counter_ns() - began)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_majflt - before)
    return GatherCell(
        resident,
        batch,
        row_ns=median(times[_WARM_UP:]) / batch,
        faults_per_row=median(faults[_WARM_UP:]) / batch,
    )


def _settle(stored: StoredTable, path: Path, resident: float) -> None:
    """Let the system hold the first `resident` share of the file in memory, and no more."""
    mapped: object = stored.rows.base
    assert isinstance(mapped, mmap.mmap), "rows are mapped from their file"
    size = path.stat().st_size
    with path.open("rb") as file:
        if resident < 1.0:
            # In this order: the system does not drop pages that are still mapped.
            mapped.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        left = int(size * resident)
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            left -= len(chunk)
