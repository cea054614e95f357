"""Rows a page at a time, as lists of the API are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from engine.schema import Cost

T = TypeVar("T")


def paged(
    rows: Sequence[T], name: str, q: str, limit: int, cursor: str | None, sort: str | None
) -> tuple[list[T], int, str | None]:
    """The page after `cursor` of those with `q` in `name`; how many they are; the next cursor."""
    found = [row for row in rows if q in getattr(row, name)]
    if sort:
        key = sort.lstrip("-")
        found.sort(key=lambda row: _figure(row, key), reverse=sort.startswith("-"))
    start = int(cursor or 0)
    following = start + limit
    return (
        found[start:following],
        len(found),
        str(following) if following < len(found) else None,
    )


def _figure(row: object, key: str) -> tuple[bool, Any]:
    """What a row is sorted by; what it lacks comes before all that there is."""
    value = getattr(row, key)
    if isinstance(value, Cost):
        value = value.total
    return value is not None, value if value is not None else 0
