"""Chooses a vPLM out of ten thousand: type a part of its name."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from engine.client import AsyncClient
from engine.schema import Vplm
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.paging import Page, Query
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import VPLMS
from hmi_tui.widgets.virtual_table import VirtualTable


class Picker(Named, ModalScreen[Vplm | None]):
    """The filter is the engine's; arrows move in the list while one types."""

    AUTO_FOCUS = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Give up"),
        Binding("up", "move(-1)", show=False, priority=True, id="up"),
        Binding("down", "move(1)", show=False, priority=True, id="down"),
    ]

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self.client = client
        self.table: VirtualTable[Vplm] = VirtualTable(
            VPLMS,
            lambda v: v.id,
            sort="id",
            id="picker-table",
            empty="No vPLM yet. Press <dismiss:esc>, then <open-tenants:2> and <new:n> to create "
            "one.",
        )

    def compose(self) -> ComposeResult:
        with Vertical(id="picker") as window:
            window.border_title = "Choose a vPLM"
            window.border_subtitle = hint(
                self, "type some of its letters · enter chooses · <dismiss:esc> gives up"
            )
            yield Input(placeholder="letters of its name, in order", compact=True)
            yield self.table

    def on_mount(self) -> None:
        self.table.show_source(self._read)

    async def _read(self, query: Query) -> Page[Vplm]:
        page = await self.client.vplms(
            q=query.q, limit=query.limit, cursor=query.cursor, sort=query.sort, fuzzy=True
        )
        return Page(page.data, page.total, page.next_cursor)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self.table.filter(event.value.strip())

    def action_move(self, rows: int) -> None:
        self.table.action_move(rows)

    @on(Input.Submitted)
    @on(PagedView.Chosen)
    def _chosen(self) -> None:
        if self.table.current is not None:
            self.dismiss(self.table.current)
