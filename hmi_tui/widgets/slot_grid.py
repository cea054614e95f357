"""The device's slots as a grid: the hotter what is in one, the fuller its cell."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from engine.schema import SlotMap
from hmi_tui import figures

SIGNS = "·○░▒▓█"
"""Free, never asked for, and four degrees from cold to hot."""
DEGREES = len(SIGNS) - 2
OCTAVES = 2.0
"""A degree less is a quarter of the heat."""
LEGEND = "· free ○ unused ░▒▓█ cold to hot"


class SlotGrid(Widget):
    """A cell is a slot, or several neighbours where there is not room for all: then the hottest
    of them counts."""

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
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.slots: SlotMap | None = None
        self.border_title = "Device slots"
        self._degrees: list[int] = []

    def tell(self, slots: SlotMap) -> None:
        if slots == self.slots:
            return
        self.slots = slots
        self._degrees = degrees(slots.heat)
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

    def _legend(self, each: int) -> str:
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
            text = figures.shorten(self._legend(each), width)
            return Strip([Segment(text, style)]).adjust_cell_length(width, base)
        looks = [
            base + self.get_component_rich_style(f"slot--{degree}", partial=True)
            for degree in range(len(SIGNS))
        ]
        line = cells[y * width : (y + 1) * width]
        segments = [Segment(SIGNS[degree], looks[degree]) for degree in line]
        return Strip(segments).simplify().adjust_cell_length(width, base)


def degrees(heat: Sequence[float | None]) -> list[int]:
    """0 of a free slot, 1 if nobody asked for what is in it, else by its share of the top heat."""
    top = max((each for each in heat if each), default=1.0)
    return [0 if each is None else _degree(each, top) for each in heat]


def _degree(heat: float, top: float) -> int:
    if heat <= 0:
        return 1
    below = int(log2(top / heat) / OCTAVES)
    return 1 + max(1, DEGREES - below)
