"""The parameters that all lists share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]
Search = Annotated[str, Query(description="Part of the name or id.")]
Sort = Annotated[str | None, Query(description="A field to sort by; -field for descending.")]


@dataclass(frozen=True, slots=True)
class Listing:
    q: str
    sort: str | None
    limit: int
    cursor: str | None


async def _listing(
    q: Search = "", sort: Sort = None, limit: Limit = 100, cursor: Cursor = None
) -> Listing:
    return Listing(q, sort, limit, cursor)


Page = Annotated[Listing, Depends(_listing)]
