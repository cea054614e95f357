"""The log's lines: draws those in view of a bounded number that is kept."""

from __future__ import annotations

import textwrap
from bisect import bisect_left
from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from hmi_tui.keys import Named
from hmi_tui.log.line import Level, LogLine, Wanted, contains, entry_around, read_line
from hmi_tui.widgets.columns import fit

KEPT = 10_000
"""Lines; the oldest go first."""
WIDE = 110
"""Cells from which the date and the thousandths are shown too."""

STYLES: dict[Level, str] = {
    "DEBUG": "log--muted",
    "INFO": "log--muted",
    "WARNING": "log--warn",
    "ERROR": "log--bad",
    "CRITICAL": "log--bad",
}


class LogView(Named, ScrollView, can_focus=True):
    """Lines that pass a filter, with a cursor; following keeps it on the newest."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--cursor",
        "log--muted",
        "log--warn",
        "log--bad",
        "log--match",
    }
    DEFAULT_CSS = """
    LogView {
        height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .log--cursor { background: $panel; text-style: bold; }
        & > .log--muted { color: $muted; }
        & > .log--warn { color: $warning; }
        & > .log--bad { color: $error; text-style: bold; }
        & > .log--match { text-style: reverse; }
        &:focus > .log--cursor { background: $cursor; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="page-down"),
        Binding("home", "edge(0)", "First line", show=False, id="first-row"),
        Binding("end", "edge(1)", "Last line, and follow", show=False, id="last-row"),
        Binding("enter", "choose", "Open", show=False),
        Binding("c", "copy", "Copy the line", show=False),
    ]

    class Chosen(Message):
        """Enter or a second click on a line."""

    class Changed(Message):
        """The cursor, the lines, the filter or following changed."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LogView.Changed)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines: list[LogLine] = []
        self.shown: list[LogLine] = []
        self.wanted = Wanted()
        self.sought = ""
        self.following = True
        self.empty = ""
        self._number = 0
        """Of the line under the cursor."""
        self._next = 0

    # -- what it shows ---------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The index in `shown`; of the next line if the cursor's own is not shown."""
        index = bisect_left(self.shown, self._number, key=lambda line: line.number)
        return max(0, min(index, len(self.shown) - 1))

    @property
    def current(self) -> LogLine | None:
        return self.shown[self.cursor] if self.shown else None

    @property
    def entry(self) -> Sequence[LogLine]:
        """All lines of the entry under the cursor."""
        here = self.current
        if here is None:
            return ()
        return entry_around(self.lines, here.number - self.lines[0].number)

    def append(self, texts: Sequence[str]) -> None:
        """Take in new lines of the file."""
        fresh = []
        before = self.lines[-1] if self.lines else None
        for text in texts:
            before = read_line(self._next, text, before)
            fresh.append(before)
            self._next += 1
        self.lines += fresh
        self.shown += filter(self.wanted.has, fresh)
        self._forget_the_oldest()
        self._settle()

    def want(self, wanted: Wanted) -> None:
        """Show what passes this filter, the cursor as near as may be to where it was."""
        self.wanted = wanted
        self.shown = [line for line in self.lines if wanted.has(line)]
        self._settle()
        if self.shown:
            self._go(self.cursor)

    def seek(self, text: str, way: int = -1) -> bool:
        """Go to the next line that has `text`, downwards with `way` 1, round the end if need be.

        The first look for another text takes the cursor's own line too. Whether there is one.
        """
        fresh, self.sought = text != self.sought, text
        self.refresh()
        count, here = len(self.shown), self.cursor
        for step in range(0 if fresh else 1, count + 1 if count else 0):
            index = (here + way * step) % count
            if text and contains(self.shown[index], text):
                self.following = False
                self._go(index)
                return True
        return False

    def follow(self, following: bool) -> None:
        self.following = following
        self._settle()

    def _forget_the_oldest(self) -> None:
        over = len(self.lines) - KEPT
        if over <= 0:
            return
        del self.lines[:over]
        first = self.lines[0].number
        gone = bisect_left(self.shown, first, key=lambda line: line.number)
        del self.shown[:gone]
        if not self.following:
            # The lines in view stay where they are on the screen.
            self.scroll_to(y=max(0, self._first - gone), animate=False, force=True)

    def _settle(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.shown))
        if self.following and self.shown:
            self._go(len(self.shown) - 1)
        self.post_message(self.Changed())
        self.refresh()

    # -- the cursor ------------------------------------------------------------------------

    @property
    def _first(self) -> int:
        return round(self.scroll_offset.y)

    def _go(self, index: int) -> None:
        if not self.shown:
            return
        index = max(0, min(index, len(self.shown) - 1))
        self._number = self.shown[index].number
        rows = max(1, self.size.height)
        if index < self._first:
            self.scroll_to(y=index, animate=False, force=True)
        elif index >= self._first + rows:
            self.scroll_to(y=index - rows + 1, animate=False, force=True)
        self.post_message(self.Changed())
        self.refresh()

    def action_move(self, lines: int) -> None:
        self.following = False
        self._go(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height))

    def action_edge(self, end: int) -> None:
        if end:
            self.follow(True)
        else:
            self.action_move(-len(self.shown))

    def action_choose(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen())

    def action_copy(self) -> None:
        if self.current is not None:
            self.app.copy_to_clipboard(self.current.text)
            self.notify("Copied the line.")

    def on_mouse_scroll_up(self) -> None:
        self.following = False
        self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or self._first + place.y >= len(self.shown):
            return
        index = self._first + place.y
        again = index == self.cursor
        self.following = False
        self._go(index)
        if again:
            self.action_choose()

    def on_resize(self) -> None:
        self._settle()

    # -- drawing ---------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        index = self._first + y
        if not self.shown:
            parts = self.empty.split("\n")
            said = [line for part in parts for line in textwrap.wrap(part, max(10, width - 4))]
            text = said[y - 1] if 0 < y <= len(said) else ""
            return self._plain("  " + text, width, base + self._style("log--muted"))
        if index >= len(self.shown):
            return Strip.blank(width, base)
        line = self.shown[index]
        here = index == self.cursor
        if here:
            base = base + self._style("log--cursor")
        sign = "› " if here else "  "  # noqa: RUF001
        return Strip([Segment(sign, base), *self._words(line, width, base)]).adjust_cell_length(
            width, base
        )

    def _words(self, line: LogLine, width: int, base: Style) -> list[Segment]:
        muted = base + self._style("log--muted")
        toned = base + self._style(STYLES[line.level])
        if not line.begins:
            return self._marked("  " + line.text, width - 2, toned)
        date = len(line.text) - len(line.body)
        clock = line.text[:date] if width >= WIDE else line.clock + " "
        level, _, rest = line.body.partition(" ")
        segments = [Segment(clock, muted), Segment(level.ljust(8), toned)]
        return segments + self._marked(rest, width - 2 - len(clock) - 8, base)

    def _marked(self, text: str, width: int, style: Style) -> list[Segment]:
        """`text` with what is sought marked in it."""
        text = fit(text, max(1, width), "left")
        if not self.sought:
            return [Segment(text, style)]
        lowered, sought = text.lower(), self.sought.lower()
        match = style + self._style("log--match")
        segments, at = [], 0
        while (found := lowered.find(sought, at)) >= 0:
            end = found + len(sought)
            segments += [Segment(text[at:found], style), Segment(text[found:end], match)]
            at = end
        return [*segments, Segment(text[at:], style)]

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    def _plain(self, text: str, width: int, style: Style) -> Strip:
        return Strip([Segment(fit(text, width, "left"), style)])
