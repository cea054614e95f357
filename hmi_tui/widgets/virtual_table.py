"""A table over a server-side list: draws the rows in view, sorts, marks, copies."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip

from hmi_tui.hints import hint
from hmi_tui.paging import Row
from hmi_tui.tones import Tone
from hmi_tui.widgets.columns import GAP, MARGIN, Column, fit, lay_out, toned
from hmi_tui.widgets.paged_view import PagedView

SIGNS = {(False, False): " ", (True, False): "›", (False, True): "●", (True, True): "◉"}  # noqa: RUF001
"""At the left of a row, by whether it has the cursor and whether it is marked."""


class VirtualTable(PagedView[Row]):
    """Rows of type Row under a fixed header. The cursor follows its row through every refresh."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--muted",
        "table--strong",
        "table--accent",
        "table--good",
        "table--warn",
        "table--bad",
    }
    DEFAULT_CSS = """
    VirtualTable {
        height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden;
        & > .table--header { color: $muted; text-style: bold; }
        & > .table--cursor { background: $panel; text-style: bold; }
        & > .table--muted { color: $muted; }
        & > .table--strong { text-style: bold; }
        & > .table--accent { color: $primary; }
        & > .table--good { color: $success; }
        & > .table--warn { color: $warning; }
        & > .table--bad { color: $error; text-style: bold; }
        &:focus > .table--cursor { background: $cursor; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="page-down"),
        Binding("home", "edge(0)", "First row", show=False, id="first-row"),
        Binding("end", "edge(1)", "Last row", show=False, id="last-row"),
        Binding("enter", "choose", "Open", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("c", "copy", "Copy its name", show=False),
    ]

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key_of: Callable[[Row], str],
        *,
        empty: str = "",
        sort: str | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(key_of, sort, id)
        self.columns = columns
        self.empty = empty
        self._found: dict[tuple[bool, Tone], Style] = {}
        self._placed: list[tuple[Column[Row], int]] = []

    def action_move(self, rows: int) -> None:
        self._go(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        self._go(self.cursor + pages * self._rows_in_view)

    def action_edge(self, end: int) -> None:
        self._go(self.total - 1 if end else 0)

    def action_choose(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen(self, self.current))

    def action_mark(self) -> None:
        if self.current is not None:
            self.marked ^= {self.key_of(self.current)}
            self._go(self.cursor + 1)

    def action_copy(self) -> None:
        """The marked names, a line each, or the one under the cursor."""
        names = self.chosen_keys
        if names:
            self.app.copy_to_clipboard("\n".join(names))
            what = names[0] if len(names) == 1 else f"{len(names)} names"
            self.notify(f"Copied {what}", markup=False)

    def unmark(self) -> bool:
        """Forget all marks; whether there were any."""
        had = bool(self.marked)
        self.marked.clear()
        self.refresh()
        self._tell_changed()
        return had

    def sort_by(self, column: Column[Row]) -> None:
        """Order by this column; descending if it was ascending already."""
        if column.sort:
            self.order("-" + column.sort if self.sort == column.sort else column.sort)

    def on_key(self, event: events.Key) -> None:
        for column in self.columns:
            if column.key and event.character == column.key:
                event.stop()
                self.sort_by(column)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        if place.y == 0:
            self._click_header(place.x)
            return
        index = self._first + place.y - 1
        if index < self.total:
            again = index == self.cursor
            self._go(index)
            if again:
                self.action_choose()

    def _click_header(self, x: int) -> None:
        left = MARGIN
        for column, width in lay_out(self.columns, self.size.width):
            if left <= x < left + width:
                self.sort_by(column)
            left += width + GAP

    # -- drawing ---------------------------------------------------------------------------

    def render_lines(self, crop: Region) -> list[Strip]:
        """What all lines have in common is found once."""
        self._found.clear()
        self._placed = lay_out(self.columns, self.size.width)
        return super().render_lines(crop)

    def _style_of(self, tone: Tone, *, here: bool = False) -> Style:
        """Of cells of this tone, `here` in the row under the cursor."""
        style = self._found.get((here, tone))
        if style is None:
            style = self.rich_style
            for part in ("cursor" if here else "plain", tone):
                if part != "plain":
                    style += self.get_component_rich_style(f"table--{part}", partial=True)
            self._found[here, tone] = style
        return style

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self._style_of("plain")
        if y == 0:
            return self._header(width, base)
        index = self._first + y - 1
        if index >= self.total:
            return self._below(y, width)
        row = self._pages.row(index)
        if row is None:
            self.call_later(self._pull)
            return _line("  …", width, base)
        return self._row(row, index, width)

    def _header(self, width: int, base: Style) -> Strip:
        style = base + self.get_component_rich_style("table--header", partial=True)
        text = " " * MARGIN
        for column, cells in self._placed:
            title = column.title
            if column.sort and self.sort in (column.sort, "-" + column.sort):
                arrow = "▲" if self.sort == column.sort else "▼"
                title = fit(title, min(len(title), cells - 1), "left") + arrow
            text += fit(title, cells, column.align) + " " * GAP
        return _line(text, width, style)

    def _below(self, y: int, width: int) -> Strip:
        if self.total or not (self.loaded or self.error):
            return Strip.blank(width, self._style_of("plain"))
        muted = self._style_of("muted")
        text = self.error or (f"Nothing matches {self.q!r}." if self.q else hint(self, self.empty))
        lines = [
            line
            for part in text.split("\n")
            for line in textwrap.wrap(part, max(10, width - 4)) or [""]
        ]
        return _line("  " + (lines[y - 2] if 0 <= y - 2 < len(lines) else ""), width, muted)

    def _row(self, row: Row, index: int, width: int) -> Strip:
        here = index == self.cursor
        base = self._style_of("plain", here=here)
        marked = self.key_of(row) in self.marked
        plain, length = SIGNS[here, marked] + " ", MARGIN
        segments: list[Segment] = []
        for column, cells in self._placed:
            text, tone = toned(column.cell(row))
            shown = fit(text, cells, column.align)
            length += cells + GAP
            if tone == "plain":
                plain += shown + " " * GAP
                continue
            segments += (Segment(plain, base), Segment(shown, self._style_of(tone, here=here)))
            plain = " " * GAP
        segments.append(Segment(plain + " " * (width - length), base))
        strip = Strip(segments, max(length, width))
        return strip if length <= width else strip.adjust_cell_length(width, base)


def _line(text: str, width: int, style: Style) -> Strip:
    return Strip([Segment(text, style)]).adjust_cell_length(width, style)
