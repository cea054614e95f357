"""The log's lines: draws those in view of a bounded number that is kept."""

from __future__ import annotations

import textwrap
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

from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.log.line import Level, LogLine, Wanted
from hmi_tui.log.lines import LogLines
from hmi_tui.widgets.columns import fit
from hmi_tui.widgets.matches import marked

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
        self.lines = LogLines()
        self.sought = ""
        self.following = True
        self.empty = ""
        self._number = 0
        """Of the line under the cursor."""

    # -- what it shows ---------------------------------------------------------------------

    @property
    def shown(self) -> Sequence[LogLine]:
        return self.lines.shown

    @property
    def wanted(self) -> Wanted:
        return self.lines.wanted

    @property
    def cursor(self) -> int:
        """The index in `shown`; of the next line if the cursor's own is not shown."""
        return self.lines.index(self._number)

    @property
    def current(self) -> LogLine | None:
        return self.shown[self.cursor] if self.shown else None

    @property
    def entry(self) -> Sequence[LogLine]:
        """All lines of the entry under the cursor."""
        return () if self.current is None else self.lines.entry(self.current)

    def append(self, texts: Sequence[str]) -> None:
        """Take in new lines of the file."""
        gone = self.lines.append(texts)
        if gone and not self.following:
            # The lines in view stay where they are on the screen.
            self.scroll_to(y=max(0, self._first - gone), animate=False, force=True)
        self._settle()

    def want(self, wanted: Wanted) -> None:
        """Show what passes this filter, the cursor as near as may be to where it was."""
        self.lines.want(wanted)
        self._settle()
        if self.shown:
            self._go(self.cursor)

    def seek(self, text: str, way: int = -1) -> bool:
        """Go to the next line that has `text`, downwards with `way` 1, round the end if need be.

        The first look for another text takes the cursor's own line too. Whether there is one.
        """
        fresh, self.sought = text != self.sought, text
        self.refresh()
        found = self.lines.find(text, self.cursor, way, fresh=fresh)
        if found is None:
            return False
        self.following = False
        self._go(found)
        return True

    def follow(self, following: bool) -> None:
        self.following = following
        self._settle()

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
            parts = hint(self, self.empty).split("\n")
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
        match = style + self._style("log--match")
        return marked(fit(text, max(1, width), "left"), self.sought, style, match)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name, partial=True)

    def _plain(self, text: str, width: int, style: Style) -> Strip:
        return Strip([Segment(fit(text, width, "left"), style)])
