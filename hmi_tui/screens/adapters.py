"""Adapters: the store of small modules that make a vPLM of the backbone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widget import Widget

from engine.client import Call, assets_dir, calls
from engine.schema import Adapter
from hmi_tui import figures
from hmi_tui.paging import PAGE, Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.tenant_facts import instant
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.fact_list import Fact, FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import ADAPTERS

REREAD_TICKS = 4


class AdaptersScreen(ModeScreen):
    MODE = "adapters"
    ABOUT = (
        "Every adapter file, named by its sha256, with the tier it is in, who uses it and which "
        "job made it. One that nobody uses may be deleted."
    )
    CSS_PATH = assets_dir() / "styles" / "adapters.tcss"
    AUTO_FOCUS = "#adapters-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "describe", "Describe", tooltip="All that is known of the adapter"),
        Binding("x", "delete_adapter", "Delete", tooltip="Delete an adapter that nobody uses"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.store: Listing[Adapter] = Listing(
            "Adapters",
            ADAPTERS,
            lambda a: a.id,
            id="adapters",
            sort="-created_at",
            empty="No adapters yet: each vPLM brings one.\nPress 2 to create a vPLM.",
        )
        self.facts = FactList()
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        yield Horizontal(
            self.store, VerticalScroll(self.facts, id="adapter-facts", can_focus=False)
        )

    def see(self, snapshot: Snapshot) -> None:
        if not snapshot.ready:
            return
        if not self._ticks:
            self.store.table.show_source(self._read)
        elif self._ticks % REREAD_TICKS == 0:
            self.store.table.reread()
        self._ticks += 1

    async def _read(self, query: Query) -> Page[Adapter]:
        page = await self.client.adapters(
            q=query.q, limit=query.limit, cursor=query.cursor, sort=query.sort
        )
        self.store.retitle(f"Adapters · {figures.size(page.bytes)}")
        return Page(page.data, page.total, page.next_cursor)

    def call(self) -> Call[Any]:
        return calls.adapters(self.store.table.q, PAGE, sort=self.store.table.sort)

    @on(PagedView.Moved)
    def _moved(self, event: PagedView.Moved) -> None:
        row: Any = event.row
        self.query_one("#adapter-facts").border_title = row.id[:12] if row else "Adapter"
        self.facts.tell(adapter_facts(row) if row else ())

    @on(PagedView.Chosen)
    def action_describe(self) -> None:
        adapter = self.store.table.current
        if adapter is not None:
            self.app.push_screen(Facts(adapter.id[:12], adapter_facts(adapter), adapter.id))

    @changes
    @work
    async def action_delete_adapter(self) -> None:
        ids = self.store.table.chosen_keys
        if not ids:
            return
        what = f"adapter {ids[0][:12]}" if len(ids) == 1 else f"{len(ids)} adapters"
        goes = "The file is removed from the store. One that is in use is refused."
        if await self.app.push_screen_wait(Confirm(f"Delete {what}?", goes)):
            with self.hmi.complaining():
                for adapter_id in ids:
                    await self.client.remove_adapter(adapter_id)
                self.notify(f"Deleted {what}.", markup=False)
            self.store.table.unmark()
            self.store.table.reread()


def adapter_facts(adapter: Adapter) -> list[Fact]:
    """What there is to say of an adapter."""
    made = "random parameters" if adapter.created_by == "random" else f"job {adapter.created_by}"
    return [
        ("sha256", adapter.id),
        ("bytes", f"{figures.size(adapter.bytes)} ({adapter.bytes:,})"),
        ("tier", adapter.tier),
        ("used by", "\n".join(adapter.users[:20]) or "nobody"),
        ("made by", made),
        ("rank", str(adapter.rank)),
        ("labels", str(adapter.labels)),
        ("created", instant(adapter.created_at)),
    ]
