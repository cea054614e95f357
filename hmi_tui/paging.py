"""Rows of a server-side list, read page by page as they come into view."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")

PAGE = 200
KEPT_PAGES = 16


@dataclass(frozen=True, slots=True)
class Query:
    """What the engine is asked for: a filter, an order ("-size" is descending), a page."""

    q: str = ""
    sort: str | None = None
    limit: int = PAGE
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    total: int
    next_cursor: str | None = None


Source = Callable[[Query], Awaitable[Page[Row]]]


class Pages(Generic[Row]):
    """A bounded cache of pages. A page's cursor is known once the page before it was read."""

    def __init__(self, source: Source[Row], q: str = "", sort: str | None = None) -> None:
        self.source = source
        self.q = q
        self.sort = sort
        self.total = 0
        self._pages: dict[int, Sequence[Row]] = {}
        self._read_at: dict[int, float] = {}
        self._cursors: dict[int, str | None] = {0: None}

    def row(self, index: int) -> Row | None:
        """The row, or None while it has not been read."""
        page = self._pages.get(index // PAGE)
        offset = index % PAGE
        return page[offset] if page is not None and offset < len(page) else None

    def missing(self, first: int, last: int) -> bool:
        return any(number not in self._pages for number in _numbers(first, last))

    def age(self, first: int, last: int) -> float:
        """Seconds since those of rows `first` to `last` that are at hand were read, the longest
        ago of them; 0 if none is."""
        here = [self._read_at[number] for number in _numbers(first, last) if number in self._pages]
        return time.monotonic() - min(here) if here else 0.0

    def find(self, wanted: Callable[[Row], bool]) -> int | None:
        """The index of a row among those read."""
        for number, page in self._pages.items():
            for offset, row in enumerate(page):
                if wanted(row):
                    return number * PAGE + offset
        return None

    async def read(self, first: int, last: int, *, again: bool = False) -> None:
        """Read the pages that hold rows `first` to `last`; with `again` also those at hand."""
        for number in _numbers(first, last):
            if again or number not in self._pages:
                await self._walk_to(number)
                if number in self._cursors:
                    await self._read_page(number)

    async def _walk_to(self, number: int) -> None:
        known = max(n for n in self._cursors if n <= number)
        while known < number and known in self._cursors:
            await self._read_page(known)
            known += 1

    async def _read_page(self, number: int) -> None:
        page = await self.source(Query(self.q, self.sort, PAGE, self._cursors[number]))
        self.total = page.total
        self._pages.pop(number, None)
        self._pages[number] = page.rows
        self._read_at[number] = time.monotonic()
        for later in [n for n in self._pages if n * PAGE >= self.total and n]:
            del self._pages[later]
        if page.next_cursor is None:
            for later in [n for n in self._cursors if n > number]:
                del self._cursors[later]
        else:
            self._cursors[number + 1] = page.next_cursor
        while len(self._pages) > KEPT_PAGES:
            del self._pages[next(iter(self._pages))]


def _numbers(first: int, last: int) -> range:
    return range(max(0, first) // PAGE, max(first, last, 0) // PAGE + 1)


def fixed(rows: Sequence[Row]) -> Source[Row]:
    """A source over rows that are all at hand, sliced like the engine's pages."""

    async def source(query: Query) -> Page[Row]:
        start = int(query.cursor or 0)
        end = start + query.limit
        more = str(end) if end < len(rows) else None
        return Page(rows[start:end], len(rows), more)

    return source
