"""Columns of a table and how they share its width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from rich.cells import cell_len, set_cell_size

from hmi_tui.tones import Tone

Row = TypeVar("Row")
Cell = str | tuple[str, Tone]

GAP = 2
MARGIN = 2
"""Cells at the left of a row for the cursor and the mark."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: what it shows of a row, and how much room it asks for."""

    title: str
    cell: Callable[[Row], Cell]
    width: int
    align: Literal["left", "right"] = "left"
    grow: int = 0
    """Share of the width that is left over."""
    rank: int = 0
    """Columns of the highest rank go first where there is no room."""
    sort: str = ""
    """The engine's name for this order; empty if it cannot sort by it."""
    key: str = ""
    """The capital letter that sorts by it."""
    by: Callable[[Row], Any] | None = None
    """What rows that are all at hand are ordered by; the engine orders the others."""


def lay_out(columns: Sequence[Column[Row]], width: int) -> list[tuple[Column[Row], int]]:
    """The columns that fit in `width` cells, each with its width."""
    shown = list(columns)
    while len(shown) > 1 and _needed(shown) > width:
        last = max(column.rank for column in shown)
        if last == 0:
            break
        shown.remove([column for column in shown if column.rank == last][-1])
    spare = max(0, width - _needed(shown))
    shares = sum(column.grow for column in shown)
    placed = []
    for column in shown:
        extra = spare * column.grow // shares if shares else 0
        placed.append((column, column.width + extra))
    return placed


def _needed(columns: Sequence[Column[Row]]) -> int:
    return MARGIN + sum(column.width for column in columns) + GAP * (len(columns) - 1)


def at_hand(
    title: str,
    cell: Callable[[Row], Cell],
    width: int,
    key: str,
    by: Callable[[Row], Any],
    **more: Any,
) -> Column[Row]:
    """A column of a list whose rows are all at hand; the capital `key` orders it by `by`."""
    return Column(title, cell, width, sort=title, key=key, by=by, **more)


def arranged(
    rows: Sequence[Row], columns: Sequence[Column[Row]], sort: str | None
) -> Sequence[Row]:
    """Rows that are all at hand in the order `sort`, as the engine would; without one as given.

    What has no value comes last in either direction.
    """
    wanted = (sort or "").removeprefix("-")
    by = next((column.by for column in columns if column.sort == wanted), None)
    if not wanted or by is None:
        return rows
    known = [row for row in rows if by(row) is not None]
    known.sort(key=by, reverse=(sort or "").startswith("-"))
    return [*known, *(row for row in rows if by(row) is None)]


def toned(cell: Cell) -> tuple[str, Tone]:
    """A cell's text, and how it is to be seen."""
    return cell if isinstance(cell, tuple) else (cell, "plain")


def fit(text: str, width: int, align: Literal["left", "right"]) -> str:
    """`text` in exactly `width` cells; an ellipsis stands for what does not fit."""
    clean = text.replace("\n", " ").replace("\t", " ")
    if clean.isascii() and width > 1:
        # Nearly all cells: a letter is a cell, so the careful way round is not needed.
        kept = clean if len(clean) <= width else clean[: width - 1] + "…"
        return kept.rjust(width) if align == "right" else kept.ljust(width)
    length = cell_len(clean)
    if length > width:
        return set_cell_size(clean, width - 1) + "…" if width > 1 else set_cell_size(clean, width)
    return " " * (width - length) + clean if align == "right" else clean + " " * (width - length)
