"""The versions of a vPLM, and the way back to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from engine.client import AsyncClient, HmiError, assets_dir
from engine.schema import VplmVersion, VplmVersions
from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.keys import Named
from hmi_tui.paging import Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.vplm_forms import copy_form, starter_form
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.fact_list import Fact, FactList
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import VERSIONS, since
from hmi_tui.widgets.virtual_table import VirtualTable


class Versions(Named, ModalScreen[bool]):
    """The newest first. Ends with whether another version serves now, or a vPLM was made."""

    CSS_PATH = assets_dir() / "styles" / "versions.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "roll_back", "Roll back", tooltip="Answer as this version did, from now on"),
        Binding("n", "copy_version", "New vPLM", tooltip="A new vPLM, begun as a copy of this"),
        Binding("s", "publish", "Publish", tooltip="As a starting point for new vPLMs"),
        Binding("escape,q,v", "end", "Close"),
    ]

    def __init__(self, client: AsyncClient, vplm: str, domains: Sequence[str] = ()) -> None:
        """`domains` are those that a new vPLM may be in."""
        super().__init__()
        self.domains = domains
        self.client = client
        self.vplm = vplm
        self.table: VirtualTable[VplmVersion] = VirtualTable(
            VERSIONS, lambda v: str(v.version), id="versions-table", empty="No version is kept."
        )
        self.facts = FactList(id="version-facts")
        self.known: VplmVersions | None = None
        self.moved = False

    def compose(self) -> ComposeResult:
        with Vertical(id="versions") as window:
            window.border_title = f"Versions of {self.vplm}"
            window.border_subtitle = hint(
                self,
                "<roll_back:r> rolls back · <copy_version:n> new vPLM · <publish:s> publishes · "
                "<end:esc> closes",
            )
            yield self.table
            yield self.facts

    def on_mount(self) -> None:
        self.table.show_source(self._read)
        self.table.focus()

    async def _read(self, query: Query) -> Page[VplmVersion]:
        self.known = await self.client.versions(self.vplm)
        rows = arranged(self.known.data, VERSIONS, query.sort)
        return Page(rows, len(rows), None)

    @on(PagedView.Moved)
    def _tell(self, event: Any) -> None:
        del event
        version = self.table.current
        self.facts.tell([] if version is None or self.known is None else self._facts(version))

    def _facts(self, version: VplmVersion) -> list[Fact]:
        assert self.known is not None
        return [
            ("by", f"{version.origin}, from {version.source or 'nothing known'}"),
            ("made in", f"domain {version.domain or 'unknown'}, rank {version.rank}"),
            ("adapter", version.adapter),
            ("kept", f"the newest {self.known.keeps} versions (hmi serve --keep-versions)"),
        ]

    @changes
    @work
    async def action_copy_version(self) -> None:
        chosen = self.table.current
        if chosen is not None:
            form = copy_form(self.client, f"{self.vplm}:{chosen.version}", self.domains)
            if await self.app.push_screen_wait(form):
                self.moved = True

    @changes
    @work
    async def action_publish(self) -> None:
        chosen = self.table.current
        if chosen is not None:
            form = starter_form(self.client, self.vplm, chosen.version)
            await self.app.push_screen_wait(form)

    def action_end(self) -> None:
        self.dismiss(self.moved)

    @changes
    @work
    async def action_roll_back(self) -> None:
        chosen, known = self.table.current, self.known
        if chosen is None or known is None:
            return
        serving = next((one for one in known.data if one.serving), None)
        if serving is None or serving.version == chosen.version:
            self.notify(f"{self.vplm} is at version {chosen.version} already.", markup=False)
            return
        question = f"Roll {self.vplm} back to version {chosen.version}?"
        if await self.app.push_screen_wait(Confirm(question, _told(serving, chosen), "Roll back")):
            try:
                made = await self.client.roll_back(self.vplm, chosen.version)
            except HmiError as error:
                self.notify(str(error), severity="error", markup=False)
                return
            self.moved = True
            self.notify(f"{self.vplm} is at version {made.version}.", markup=False)
            self.table.reread()


def _told(serving: VplmVersion, chosen: VplmVersion) -> str:
    """What is lost and won, for whoever has to say yes."""
    return (
        f"It answers as version {serving.version} ({_accuracy(serving)}) now; version "
        f"{chosen.version} ({_accuracy(chosen)}) is {since(chosen.published_at)} old.\n"
        "Requests under way end as they began. Version "
        f"{serving.version} is kept, so this can be undone."
    )


def _accuracy(version: VplmVersion) -> str:
    if version.accuracy is None:
        return "not measured"
    return f"accuracy {figures.held_out(version.accuracy, version.perplexity)}"
