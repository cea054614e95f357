"""What came of `hmi bench scale`, as a table and a picture: whether there is a cliff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.bench.chart import Chart, Series
from engine.bench.table import number, table


@dataclass(frozen=True, slots=True)
class Registered:
    """`seconds` are of those that were added to reach `vplms`; `bytes` are of all on disk."""

    vplms: int
    added: int
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One run; `share` is of the working set, `slots` what the engine had."""

    vplms: int
    working_set: int
    share: float
    slots: int
    popularity: str
    answered_per_s: float
    p50_s: float | None
    p99_s: float | None
    device_hits: float | None
    failed: int


def render_scale(registered: Sequence[Registered], cells: Sequence[Cell]) -> str:
    """What registering took, and every run with its ratio to the one with all resident."""
    made = table(
        (">VPLMS", ">ADDED", ">SECONDS", ">MS EACH", ">GIB"),
        (
            (
                f"{one.vplms:,}",
                f"{one.added:,}",
                number(one.seconds, 1),
                number(one.seconds / one.added * 1e3 if one.added else None, 1),
                number(one.bytes / (1 << 30), 2),
            )
            for one in registered
        ),
    )
    heads = (
        *(">VPLMS", ">ASKED", "TRAFFIC", ">SLOTS", ">SHARE", ">ANSWERED/S", ">OF ALL"),
        *(">P50 MS", ">P99 MS", ">TIMES", ">HITS", ">FAILED"),
    )
    return f"{made}\n\n{table(heads, (_row(cell, cells) for cell in _ordered(cells)))}"


def _row(cell: Cell, cells: Sequence[Cell]) -> tuple[str, ...]:
    full = _all_resident(cell, cells)
    speed = cell.answered_per_s / full.answered_per_s if full.answered_per_s else None
    worse = cell.p99_s / full.p99_s if cell.p99_s and full.p99_s else None
    return (
        f"{cell.vplms:,}",
        f"{cell.working_set:,}",
        cell.popularity,
        f"{cell.slots:,}",
        f"{cell.share:.0%}",
        number(cell.answered_per_s, 1),
        number(speed),
        *(number(None if s is None else s * 1e3, 1) for s in (cell.p50_s, cell.p99_s)),
        number(worse),
        number(cell.device_hits),
        str(cell.failed),
    )


def _all_resident(cell: Cell, cells: Sequence[Cell]) -> Cell:
    """The run with the most slots among those that are otherwise like `cell`."""
    alike = [c for c in cells if (c.vplms, c.popularity) == (cell.vplms, cell.popularity)]
    return max(alike, key=lambda one: one.share)


def _ordered(cells: Sequence[Cell]) -> list[Cell]:
    return sorted(cells, key=lambda cell: (cell.vplms, cell.popularity, cell.share))


def draw_cliff(cells: Sequence[Cell]) -> str:
    """Throughput over the share of the working set that has a slot, a line for each kind of run."""
    kinds = dict.fromkeys((cell.vplms, cell.popularity) for cell in _ordered(cells))
    series = [
        Series(
            f"{count:,} vPLMs, {popularity}",
            [
                (cell.share, cell.answered_per_s)
                for cell in cells
                if (cell.vplms, cell.popularity) == (count, popularity)
            ],
        )
        for count, popularity in kinds
    ]
    title = "Throughput as fewer vPLMs have a slot"
    return Chart(
        title, "slots, of the vPLMs that are asked", "answers a second", series, percent=True
    ).svg()
