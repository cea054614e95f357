"""The device's slots as a grid: the hotter what is in one, the fuller its cell."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from engine.schema import SlotMap
from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.timeline.heat import SIGNS, degrees, hottest, said_of

LEGEND = "· free ○ unused ░▒▓█ cold to hot"


class SlotGrid(Named, Widget, can_focus=True):
    """A cell is a slot, or several neighbours where there is not room for all: then the hottest
    of them counts. The cursor is on a cell, and means that slot of it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"slot--{degree}" for degree in range(len(SIGNS))),
        "slot--legend",
    }
    DEFAULT_CSS = """
    SlotGrid { border: round $frame; border-title-color: $muted; border-subtitle-color: $muted;
        padding: 0 1;
        & > .slot--0 { color: $frame; }
        & > .slot--1 { color: $muted; }
        & > .slot--2 { color: $secondary; }
        & > .slot--3 { color: $primary; }
        & > .slot--4 { color: $warning; }
        & > .slot--5 { color: $error; }
        & > .slot--legend { color: $muted; }
        &:focus { border: round $primary; border-title-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1, 0)", "Slot", key_display="← →", id="slot-left"),
        Binding("right,l", "move(1, 0)", "Slot after", show=False, id="slot-right"),
        Binding("up,k", "move(0, -1)", "Row above", show=False, id="up"),
        Binding("down,j", "move(0, 1)", "Row below", show=False, id="down"),
        Binding("home", "edge(0)", "First slot", show=False, id="first-row"),
        Binding("end", "edge(1)", "Last slot", show=False, id="last-row"),
        Binding("enter", "choose", "Open", show=False),
    ]

    class Chosen(Message):
        """Enter, or a second click on a cell; `slot` is what the cursor means."""

        def __init__(self, slot: int) -> None:
            super().__init__()
            self.slot = slot

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.slots: SlotMap | None = None
        self.border_title = "Device slots"
        self._degrees: list[int] = []
        self._at = 0
        """The slot under the cursor, counted from the first that is shown; with a cell of several
        slots, one of the cell's."""

    def tell(self, slots: SlotMap) -> None:
        if slots == self.slots:
            return
        self.slots = slots
        self._degrees = degrees(slots.heat)
        self._at = max(0, min(self._at, len(self._degrees) - 1))
        filled = f"{figures.count(slots.resident)} of {figures.count(slots.slots)} filled"
        self.border_title = f"Device slots · {filled}"
        said = [
            f"{count} {what}"
            for count, what in (
                (len(slots.held), "in a batch"),
                (len(slots.pinned), "pinned"),
                (slots.loading, "loading"),
            )
            if count
        ]
        self.border_subtitle = " · ".join(said)
        self.refresh()

    def cells(self, width: int, height: int) -> tuple[list[int], int]:
        """The degree of each cell, and how many slots a cell is."""
        each = max(1, -(-len(self._degrees) // max(1, width * height)))
        starts = range(0, len(self._degrees), each)
        return [max(self._degrees[start : start + each]) for start in starts], each

    # -- the cursor ------------------------------------------------------------------------

    @property
    def current(self) -> int | None:
        """The number of the slot that the cursor means: the hottest of its cell."""
        if self.slots is None or not self.slots.heat:
            return None
        each = self._each
        start = self._at // each * each
        return self.slots.first + start + hottest(self.slots.heat[start : start + each])

    @property
    def _each(self) -> int:
        width, height = self.content_size
        return self.cells(width, height - 1)[1]

    def _go(self, cell: int) -> None:
        last = max(0, len(self._degrees) - 1)
        self._at = max(0, min(cell * self._each, last))
        self.refresh()

    def action_move(self, columns: int, rows: int) -> None:
        here = self._at // self._each
        there = here + columns + rows * self.content_size.width
        if 0 <= there * self._each < len(self._degrees):
            self._go(there)

    def action_edge(self, end: int) -> None:
        self._go(len(self._degrees) if end else 0)

    def action_choose(self) -> None:
        if self.current is not None:
            self.post_message(self.Chosen(self.current))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        width, height = self.content_size
        if place is None or place.y >= height - 1:
            return
        cell = place.y * width + place.x
        if cell * self._each >= len(self._degrees):
            return
        if cell == self._at // self._each:
            self.action_choose()
        else:
            self._go(cell)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # -- drawing ---------------------------------------------------------------------------

    def _below(self, each: int) -> str:
        """The last line: what the cursor means, or what the signs do."""
        here = self.current
        if self.slots is not None and here is not None and self.has_focus:
            return said_of(self.slots, here)
        text = LEGEND if each == 1 else f"░▒▓█ cold to hot, a cell is {each} slots"
        more = self.slots.slots - len(self._degrees) if self.slots else 0
        return f"{text}; {figures.count(more)} more" if more > 0 else text

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        base = self.rich_style
        if self.slots is None or height < 2:
            return Strip.blank(width, base)
        cells, each = self.cells(width, height - 1)
        if y == height - 1:
            style = base + self.get_component_rich_style("slot--legend", partial=True)
            text = figures.shorten(hint(self, self._below(each)), width)
            return Strip([Segment(text, style)]).adjust_cell_length(width, base)
        looks = [
            base + self.get_component_rich_style(f"slot--{degree}", partial=True)
            for degree in range(len(SIGNS))
        ]
        line = cells[y * width : (y + 1) * width]
        segments = [Segment(SIGNS[degree], looks[degree]) for degree in line]
        here = self._at // each - y * width
        if self.has_focus and 0 <= here < len(line):
            segments[here] = Segment(segments[here].text, looks[line[here]] + Style(reverse=True))
        return Strip(segments).simplify().adjust_cell_length(width, base)
