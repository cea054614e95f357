"""A scrolling view of a server-side list: reads the pages in view and keeps the cursor's row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic

from textual.geometry import Size
from textual.scroll_view import ScrollView

from engine.client import HmiError
from hmi_tui.keys import Named
from hmi_tui.paging import Page, Pages, Query, Row, Source, fixed
from hmi_tui.widgets.view_message import NewestOnly, ViewMessage

AHEAD = 2
"""How many views are read ahead of what is shown, either way."""
FRESH_S = 5.0
"""Rows that come into view and were read longer ago are shown, and read again at once."""


async def _nothing(_: Query) -> Page[Row]:
    return Page((), 0, None)


class PagedView(Named, ScrollView, Generic[Row], can_focus=True):
    """Rows of type Row, the first line a header. At most one read is under way."""

    class Moved(NewestOnly):
        """The cursor is on another row, or there is none any more."""

    class Chosen(ViewMessage):
        """Enter or a second click on a row."""

    class Changed(NewestOnly):
        """Position, number of rows, filter, order or marks changed."""

    def __init__(
        self, key_of: Callable[[Row], str], sort: str | None, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.key_of = key_of
        self.cursor = 0
        self.marked: set[str] = set()
        self.error = ""
        self.loaded = False
        self.beside: Callable[[], object] = lambda: None
        """Called at once for whatever Changed tells: what it says beside the rows is drawn with
        them, and not a frame later."""
        self._pages: Pages[Row] = Pages(_nothing, "", sort)
        self._next: Pages[Row] | None = None
        self._reading = False
        self._again = False
        self._wanted = False
        self._key: str | None = None
        self._keep: str | None = None
        self._at = 0
        self._at_hand = False

    # -- what it shows ---------------------------------------------------------------------

    @property
    def total(self) -> int:
        return self._pages.total

    @property
    def q(self) -> str:
        return (self._next or self._pages).q

    @property
    def sort(self) -> str | None:
        return (self._next or self._pages).sort

    @property
    def current(self) -> Row | None:
        return self._pages.row(self.cursor)

    @property
    def chosen_keys(self) -> list[str]:
        """The marked rows, or else the one under the cursor."""
        if self.marked:
            return sorted(self.marked)
        return [] if self.current is None else [self.key_of(self.current)]

    def show_source(self, source: Source[Row], *, at_hand: bool = False) -> None:
        """Show another list from its start; filter and order stay. Rows that are `at_hand` here
        do not grow old, as those of the engine do."""
        self.marked.clear()
        self._at_hand = at_hand
        self._restart(Pages(source, self.q, self.sort), keep=None)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show rows that are at hand; the cursor stays on its row."""
        self._at_hand = True
        self._restart(Pages(fixed(rows), self.q, self.sort), keep=self._key, at=self.cursor)

    def filter(self, q: str) -> None:
        if q != self.q:
            self._restart(Pages(self._source, q, self.sort), keep=self._key)

    def order(self, sort: str | None) -> None:
        """Sort anew, from the first row."""
        self._key = None
        self._restart(Pages(self._source, self.q, sort), keep=None)

    def reread(self) -> None:
        """Read again what is in view, keeping cursor, scroll, filter and order."""
        self._again = True
        self._pull()

    def point_at(self, key: str) -> None:
        """Put the cursor on this row once it has been read."""
        self._keep = key
        here = None if self._next else self._pages.find(lambda row: self.key_of(row) == key)
        if here is not None:
            self._keep = None
            self._go(here)
        self.reread()

    @property
    def age(self) -> float:
        """Seconds since the rows in view were read; 0 for rows that were at hand."""
        if self._at_hand:
            return 0.0
        return self._pages.age(self._first, self._first + self._rows_in_view - 1)

    # -- reading ---------------------------------------------------------------------------

    @property
    def _source(self) -> Source[Row]:
        return (self._next or self._pages).source

    def _restart(self, pages: Pages[Row], keep: str | None, at: int = 0) -> None:
        self._next = pages
        self._keep = keep
        self._at = at
        self._pull()

    def _pull(self) -> None:
        """Start reading, or let the reading under way go round once more: one at a time."""
        self._wanted = True
        if not self._reading and self.is_attached:
            self._reading = True
            # The function, not its coroutine: at the end of the application one that is never
            # begun would never be awaited.
            self.run_worker(self._read_wanted, group="rows", exit_on_error=False)  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self._pull()

    async def _read_wanted(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                await self._read_once()
                if not self._wanted:
                    await self._read_ahead()
        except HmiError as error:
            self.error = str(error)
            self.refresh()
            self._tell_changed()
        finally:
            self._reading = False

    async def _read_once(self) -> None:
        fresh = self._next
        if fresh is not None:
            await fresh.read(0, self._rows_in_view)
            if self._next is fresh:
                self._next = None
                self._pages = fresh
                self._settle(self._at)
            else:
                self._wanted = True
            return
        again, self._again = self._again or self.age > FRESH_S, False
        pages, first, last = self._pages, self._first, self._first + self._rows_in_view
        if not again and not pages.missing(first, last):
            return
        before = [pages.row(index) for index in range(first, last + 1)], pages.total
        await pages.read(first, last, again=again)
        after = [pages.row(index) for index in range(first, last + 1)], pages.total
        if pages is self._pages and (before != after or self.error):
            self._settle(self.cursor)

    async def _read_ahead(self) -> None:
        """A page's key leads to rows that are there: the engine is not waited for."""
        pages, view, total = self._pages, self._rows_in_view, self.total
        last = min(self._first + (AHEAD + 1) * view, total - 1)
        await pages.read(self._first - AHEAD * view, last)
        if pages is self._pages and pages.total != total:
            self._settle(self.cursor)

    def _settle(self, fallback: int) -> None:
        """Take over newly read rows: put the cursor back on its row and draw."""
        self.error = ""
        self.loaded = True
        wanted = self._keep or self._key
        self._keep = None
        found = None if wanted is None else self._pages.find(lambda r: self.key_of(r) == wanted)
        self.virtual_size = Size(self.size.width, self.total + 1)
        self._go(found if found is not None else fallback)
        self.refresh()

    # -- the cursor ------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        return round(self.scroll_offset.y)

    @property
    def _rows_in_view(self) -> int:
        return max(1, self.size.height - 1)

    def _go(self, index: int) -> None:
        before, top = self.cursor, self._first
        self.cursor = max(0, min(index, self.total - 1))
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self._rows_in_view:
            self.scroll_to(y=self.cursor - self._rows_in_view + 1, animate=False, force=True)
        else:
            # Two lines are another; to draw all of them takes as long as ten keys may.
            self.refresh_lines(before + 1)
            self.refresh_lines(self.cursor + 1)
            self._announce()
            return
        self._announce()
        self.refresh()

    def _announce(self) -> None:
        row = self.current
        # A row that is not read yet has no key: forget the old one, or the cursor would go back.
        self._key = None if row is None else self.key_of(row)
        if row is not None or self.total == 0:
            self.post_message(self.Moved(self, row))
        self._tell_changed()

    def _tell_changed(self) -> None:
        self.beside()
        self.post_message(self.Changed(self))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._pull()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self.total + 1)
        self._pull()
