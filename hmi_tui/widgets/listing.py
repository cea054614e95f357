"""A table with a frame that says what is shown, and a filter line that `/` opens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Generic

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from hmi_tui.figures import age, count
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.paging import Row
from hmi_tui.widgets.columns import Column
from hmi_tui.widgets.still_frame import StillFrame
from hmi_tui.widgets.virtual_table import VirtualTable

OLD_S = 10.0
"""Lists are read every few seconds; older rows are worth a word."""


class Listing(Named, StillFrame, Vertical, Generic[Row]):
    """Title, position, filter and order in the frame; `/` filters, esc clears."""

    DEFAULT_CSS = """
    Listing {
        border: round $frame; border-title-color: $muted;
        border-subtitle-color: $muted; padding: 0;
        &:focus-within { border: round $primary; border-title-style: bold; }
        & > Input { display: none; border: none; height: 1; padding: 0 1; background: $panel; }
        &.-filtering > Input { display: block; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("escape", "clear", "Back", show=False),
    ]

    def __init__(
        self,
        title: str,
        columns: Sequence[Column[Row]],
        key_of: Callable[[Row], str],
        *,
        empty: str = "",
        sort: str | None = None,
        id: str,
    ) -> None:
        super().__init__(id=id)
        self.title = title
        self.table: VirtualTable[Row] = VirtualTable(
            columns, key_of, empty=empty, sort=sort, id=f"{id}-table"
        )
        self.border_title = title
        self.table.beside = self._say

    def compose(self) -> ComposeResult:
        yield self.table
        yield Input(compact=True)

    def retitle(self, title: str) -> None:
        if title != self.title:
            self.title = title
            self._say()

    def action_filter(self) -> None:
        self.add_class("-filtering")
        self.query_one(Input).placeholder = hint(
            self, "part of a name · enter keeps, <clear:esc> clears"
        )
        self.query_one(Input).focus()

    def action_clear(self) -> None:
        """Step back by one: the filter line, the filter, the marks."""
        if self.has_class("-filtering") or self.table.q:
            self.remove_class("-filtering")
            self.query_one(Input).value = ""
            self.table.filter("")
            self.table.focus()
        else:
            self.table.unmark()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.filter(event.value.strip())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.remove_class("-filtering")
        self.table.focus()

    def _say(self) -> None:
        table = self.table
        parts = [self.title]
        if table.q:
            parts.append(f"filter “{table.q}”")
        if table.marked:
            parts.append(f"{len(table.marked)} marked")
        self.border_title = " · ".join(parts).replace("[", r"\[")
        where = f"{count(table.cursor + 1)} of " if table.total else ""
        old = table.error or table.age > OLD_S
        age_of = f" · not read for {age(table.age)}" if old else ""
        self.border_subtitle = f"{where}{count(table.total)}{age_of}" if table.loaded else ""

    def say_age(self) -> None:
        """At each tick: rows that could not be read again lately are said to be old."""
        if self.table.loaded and (self.table.error or self.table.age > OLD_S):
            self._say()
