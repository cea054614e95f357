"""The pipeline's lanes over time; the chosen batch stands out in all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.timeline.cells import CellRow, bands, fill_cells, glyphs, labels, lane_heights
from hmi_tui.timeline.lanes import GENERATE, LANES, Bar, shown
from hmi_tui.timeline.recording import Batch, Recording
from hmi_tui.timeline.scale import round_step
from hmi_tui.timeline.view import View

NAMES = 9
"""Cells of the lanes' names, left of the bars."""
MARKS = 12
"""Cells between two marks of the axis, at least."""


class LaneView(Named, Widget, can_focus=True):
    """Draws when it is told something new, and only then."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"lane--{lane}" for lane in (*LANES, GENERATE)),
        "lane--axis",
        "lane--chosen",
    }
    DEFAULT_CSS = """
    LaneView { border: round $frame; border-title-color: $muted; border-subtitle-color: $muted;
        & > .lane--queue { color: $muted; }
        & > .lane--retrieve { color: $primary; }
        & > .lane--load { color: $warning; }
        & > .lane--compute { color: $success; }
        & > .lane--prefetch { color: $secondary; }
        & > .lane--swap { color: $curve; }
        & > .lane--epoch { color: $foreground; text-style: bold; }
        & > .lane--job { color: $muted; }
        & > .lane--generate { color: $accent; }
        & > .lane--axis { color: $muted; }
        & > .lane--chosen { color: $foreground; text-style: bold; }
        &:focus { border: round $primary; border-title-style: bold; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "Batch", key_display="↑ ↓", id="down"),
        Binding("up,k", "step(-1)", "Batch before", show=False, id="up"),
        Binding("enter", "choose", "Open", show=False),
    ]

    class Picked(Message):
        """A click on a bar of this batch."""

        def __init__(self, batch: int) -> None:
            super().__init__()
            self.batch = batch

    class Stepped(Message):
        """The next batch is wanted, or the one before."""

        def __init__(self, steps: int) -> None:
            super().__init__()
            self.steps = steps

    class Chosen(Message):
        """Enter, or a second click on the chosen batch."""

    def __init__(self, *, id: str | None = None, empty: str = "") -> None:
        super().__init__(id=id)
        self.empty = empty
        self.recording = Recording()
        self.view = View()
        self.chosen: int | None = None
        self._lines: list[Strip] = []
        """Drawn; none if they are to be drawn anew."""
        self._owners: dict[int, CellRow] = {}

    def tell(self, recording: Recording, view: View, chosen: int | None) -> None:
        """Show this stretch of time, and this batch among the others."""
        self.recording, self.view, self.chosen = recording, view, chosen
        self._lines.clear()
        self.refresh()

    # -- drawing ---------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, height = self.size
        if not self._lines:
            self._owners.clear()
            self._lines = list(self._draw(max(1, width - NAMES), height))
        base = self.rich_style
        line = self._lines[y] if y < len(self._lines) else Strip([])
        return line.adjust_cell_length(width, base)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._lines.clear()

    def on_resize(self) -> None:
        self._lines.clear()

    def _draw(self, width: int, height: int) -> Iterator[Strip]:
        base = self.rich_style
        top = 1
        if self.recording.batches or GENERATE in self.recording.lanes:
            yield self._axis(width, base)
        else:
            said = textwrap.wrap(hint(self, self.empty), max(10, width + NAMES - 4))
            top = len(said) + 2
            yield from self._plain(["", *(f"  {line}" for line in said), ""], base)
        # On a very low screen the last, which seldom have anything to show, give way.
        lanes = shown(self.recording.lanes)[: max(1, height - top)]
        heights = lane_heights(lanes, height - top)
        gap = height - top - sum(heights.values()) >= len(lanes) - 1
        y = top
        for lane in lanes:
            for strip in self._lane(lane, heights[lane], width, y, base):
                yield strip
                y += 1
            if gap:
                yield from self._plain([""], base)
                y += 1

    def _plain(self, lines: list[str], base: Style) -> Iterator[Strip]:
        style = base + self.get_component_rich_style("lane--axis", partial=True)
        for line in lines:
            yield Strip([Segment(line, style)])

    def _axis(self, width: int, base: Style) -> Strip:
        """How long before the right edge each mark is; the chosen batch's place is marked too."""
        view, cells = self.view, [" "] * width
        step = round_step(view.span * MARKS / width)
        for number in range(int(view.span / step), 0, -1):
            x = round(width - number * step * width / view.span)
            text = f"╷-{figures.seconds(number * step)}"
            cells[x : x + len(text)] = text
        line = "".join(cells)[:width]
        style = base + self.get_component_rich_style("lane--axis", partial=True)
        segments = [Segment(" " * NAMES, base)]
        batch = self.recording.batches.get(self.chosen or 0)
        if batch is None or not view.begin <= _middle(batch) < view.end:
            return Strip([*segments, Segment(line, style)])
        text = f"▼ {batch.number}"
        x = min(int((_middle(batch) - view.begin) * width / view.span), width - len(text))
        strong = base + self.get_component_rich_style("lane--chosen", partial=True)
        parts = ((line[:x], style), (text, strong), (line[x + len(text) :], style))
        return Strip([*segments, *(Segment(part, look) for part, look in parts)])

    def _lane(self, lane: str, height: int, width: int, y: int, base: Style) -> Iterator[Strip]:
        own = base + self.get_component_rich_style(f"lane--{lane}", partial=True)
        strong = base + self.get_component_rich_style("lane--chosen", partial=True)
        muted = base + self.get_component_rich_style("lane--axis", partial=True)
        name, begin, end = lane, self.view.begin, self.view.end
        rows = self.recording.lanes.get(lane, ())
        in_view = [[bar for bar in row if bar.end >= begin and bar.start < end] for row in rows]
        for bars, lines in bands(in_view, height):
            if not lines:
                continue
            row = fill_cells(bars, self.view, width, self.chosen)
            drawn = glyphs(row, lines, width / self.view.span)
            texts = dict(_marks(bars, self.view, width) if lane == "epoch" else labels(row))
            for number, line in enumerate(drawn):
                self._owners[y] = row
                y += 1
                segments = [Segment(name.ljust(NAMES), muted)]
                name = ""
                written = texts if number == lines // 2 else {}
                looks = [strong if x in row.chosen else own for x in range(width)]
                segments += _runs(line, looks, written, reverse=lane != "epoch")
                yield Strip(segments)

    # -- keys and the mouse ----------------------------------------------------------------

    def action_step(self, steps: int) -> None:
        self.post_message(self.Stepped(steps))

    def action_choose(self) -> None:
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        row = None if place is None else self._owners.get(place.y)
        if place is None or row is None or not 0 <= place.x - NAMES < len(row.owner):
            return
        bar = row.owner[place.x - NAMES]
        if bar is None or bar.batch is None:
            return
        self.post_message(self.Chosen() if bar.batch == self.chosen else self.Picked(bar.batch))


def _middle(batch: Batch) -> float:
    return batch.end - batch.seconds.get("compute", 0.0) / 2


def _marks(bars: list[Bar], view: View, width: int) -> Iterator[tuple[int, str]]:
    """A sign and a name where each bar begins, as far as there is room up to the next one."""
    places = [int((bar.start - view.begin) * width / view.span) for bar in bars]
    ends = [*places[1:], width]
    for bar, x, following in zip(bars, places, ends, strict=False):
        if 0 <= x < width:
            yield x, figures.shorten(f"◆{bar.name} ", max(1, min(following, width) - x))


def _runs(
    line: str, looks: list[Style], written: dict[int, str], *, reverse: bool
) -> Iterator[Segment]:
    """The cells of a line as segments, with texts written over them."""
    cells = list(zip(line, looks, strict=True))
    for x, text in written.items():
        look = looks[x] + Style(reverse=True) if reverse else looks[x]
        cells[x : x + len(text)] = [(letter, look) for letter in text]
    for look, run in groupby(cells[: len(line)], key=lambda cell: cell[1]):
        yield Segment("".join(letter for letter, _ in run), look)
