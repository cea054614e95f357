"""Whole lists out of pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from hmi_tui.cli.grammar import flag

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
MAX_PAGE = 1000


class Page(Protocol[T]):
    """One answer of a list route."""

    @property
    def data(self) -> list[T]: ...
    @property
    def total(self) -> int: ...
    @property
    def next_cursor(self) -> str | None: ...


def paged(command: F) -> F:
    """Give a listing command --filter, --sort and --limit."""
    filtering = flag("--filter", "-f", "q", default="", help="Only names that contain this.")
    sorting = flag("--sort", metavar="COLUMN", help="Sort by this; -COLUMN turns it round.")
    limiting = flag("--limit", type=int, default=0, help="At most N; 0, the default, is all.")
    return filtering(sorting(limiting(command)))


def gather(fetch: Callable[[int, str | None], Page[T]], limit: int) -> tuple[list[T], int]:
    """The first `limit` items (all if 0) and how many there are; `fetch` takes limit and cursor."""
    items: list[T] = []
    cursor: str | None = None
    while True:
        wanted = min(MAX_PAGE, limit - len(items)) if limit else MAX_PAGE
        page = fetch(wanted, cursor)
        items += page.data
        cursor = page.next_cursor
        if cursor is None or (limit and len(items) >= limit):
            return items, page.total
