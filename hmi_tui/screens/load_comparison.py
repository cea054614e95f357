"""Two kept runs side by side, in a window over the mode."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from engine.client import assets_dir
from hmi_tui.figures import shorten
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.load.comparison import COMPARED, CompareRow, compare
from hmi_tui.load.run import LoadRun
from hmi_tui.widgets.virtual_table import VirtualTable

TITLE = 16


class LoadComparison(Named, ModalScreen[None]):
    """A line a figure: the first run's, the second's, and the second's by the first's."""

    CSS_PATH = assets_dir() / "styles" / "load.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q,v", "dismiss", "Close")]

    def __init__(self, first: LoadRun, second: LoadRun) -> None:
        super().__init__()
        heads = {"first": shorten(first.title, TITLE), "second": shorten(second.title, TITLE)}
        columns = [
            dataclasses.replace(column, title=heads.get(column.title, column.title))
            for column in COMPARED
        ]
        self.table: VirtualTable[CompareRow] = VirtualTable(
            columns, lambda row: row.name, id="comparison-table"
        )
        self.rows = compare(first, second)

    def compose(self) -> ComposeResult:
        with Vertical(id="comparison") as window:
            window.border_title = "Compare two runs"
            window.border_subtitle = hint(
                self, "ratio: the second by the first · <dismiss:esc> closes"
            )
            yield self.table

    def on_mount(self) -> None:
        self.table.show_rows(self.rows)
        self.table.focus()
