"""Tables for people: aligned columns of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTHING = "-"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Aligned columns; a head that starts with ">" is a column of numbers, set to the right."""
    right = [head.startswith(">") for head in heads]
    grid = [[head.lstrip(">") for head in heads], *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in grid) for i in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in grid
    )


def number(value: float | None, digits: int = 2) -> str:
    return NOTHING if value is None else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    """A share of 1 as whole percent."""
    return NOTHING if value is None else f"{value:.0%}"
