"""The epochs of a domain, and two of them compared."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from engine.client import AsyncClient, assets_dir
from engine.schema import DomainEpoch, Kind
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.paging import Page, Query
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.epoch_facts import compared
from hmi_tui.widgets.fact_list import Fact, FactList
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import EPOCHS
from hmi_tui.widgets.virtual_table import VirtualTable


class Epochs(Named, ModalScreen[None]):
    """The newest first. The one under the cursor is compared with the one before it, or, where
    two are marked, these."""

    CSS_PATH = assets_dir() / "styles" / "epochs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,v", "dismiss", "Close")]

    def __init__(self, client: AsyncClient, domain: str, kind: Kind = "classifier") -> None:
        super().__init__()
        self.client = client
        self.domain = domain
        self.kind = kind
        self.table: VirtualTable[DomainEpoch] = VirtualTable(
            EPOCHS,
            lambda e: str(e.epoch),
            id="epochs-table",
            empty="No epoch is known yet.\n"
            "<dismiss:esc>, then <rebuild:r> builds the domain's table.",
        )
        self.facts = FactList(id="epochs-compared")
        self.rows: list[DomainEpoch] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="epochs") as window:
            window.border_title = f"Epochs of {self.domain}"
            window.border_subtitle = hint(
                self, "<mark:space> marks two to compare · <dismiss:esc> closes"
            )
            yield self.table
            yield self.facts

    def on_mount(self) -> None:
        self.table.show_source(self._read)
        self.table.focus()

    async def _read(self, query: Query) -> Page[DomainEpoch]:
        self.rows = (await self.client.epochs(self.domain, self.kind)).data
        rows = arranged(self.rows, EPOCHS, query.sort)  # they are few and come all at once
        return Page(rows, len(rows), None)

    @on(PagedView.Moved)
    @on(PagedView.Changed)
    def _compare(self, event: Any) -> None:
        del event
        self.facts.tell(self._facts())

    def _facts(self) -> list[Fact]:
        marked = sorted(int(key) for key in self.table.marked)
        if len(marked) == 1:
            return [("", "Mark another one with <mark:space> to compare the two.")]
        if len(marked) >= 2:
            old, new = marked[0], marked[-1]
        elif self.table.current is not None:
            new = self.table.current.epoch
            old = max((row.epoch for row in self.rows if row.epoch < new), default=0)
        else:
            return []
        known = {row.epoch: row for row in self.rows}
        if old not in known or new not in known:
            return [("", "There is no epoch before this one to compare it with.")]
        return compared(known[old], known[new])
