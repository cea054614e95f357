"""Adapters: the store of small modules that make a vPLM of the backbone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget

from engine.client import Call, assets_dir, calls
from engine.schema import Adapter, AdapterPage
from hmi_tui import figures
from hmi_tui.paging import PAGE, Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.adapter_forms import export_form, import_form
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.tenant_facts import instant, several
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.fact_frame import FactFrame
from hmi_tui.widgets.fact_list import Fact, FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import ADAPTERS

REREAD_TICKS = 4
AT_ONCE = 1000
"""Adapters that one removal of garbage takes."""
NO_ADAPTERS = (
    "No adapters yet: each vPLM brings one.\nPress <open-tenants:2> to create a vPLM, or "
    "<import_adapter:i> to import a file."
)
NO_GARBAGE = "No garbage: every adapter is used.\nPress <garbage:g> to see them all."


class AdaptersScreen(ModeScreen):
    MODE = "adapters"
    ABOUT = (
        "Every adapter file, named by its sha256, with the tier it is in, who uses it and which "
        "job made it. What nobody uses is garbage: <garbage:g> lists it, "
        "<remove_garbage:z> removes it."
    )
    CSS_PATH = assets_dir() / "styles" / "adapters.tcss"
    AUTO_FOCUS = "#adapters-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "import_adapter", "Import", tooltip="Import an adapter from a file"),
        Binding("v", "verify", "Verify", tooltip="Hash the marked adapters' files again"),
        Binding("x", "delete_adapter", "Delete", tooltip="Delete adapters that nobody uses"),
        Binding("d", "describe", "Describe", show=False, tooltip="All that is known of it"),
        Binding("s", "export", "Export", show=False, tooltip="Save the adapter to a file"),
        Binding("n", "new_vplm", "New vPLM", show=False, tooltip="A vPLM that starts from it"),
        Binding("g", "garbage", "Garbage", show=False, tooltip="Only what nobody uses, or all"),
        Binding("z", "remove_garbage", "Remove garbage", show=False, tooltip="Delete it all"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.store: Listing[Adapter] = Listing(
            "Adapters",
            ADAPTERS,
            lambda a: a.id,
            id="adapters",
            sort="-created_at",
            empty=NO_ADAPTERS,
        )
        self.facts = FactList()
        self.unused = False
        """Whether only what nobody uses is shown."""
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        yield Horizontal(self.store, FactFrame(self.facts, id="adapter-facts"))

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
            q=query.q,
            limit=query.limit,
            cursor=query.cursor,
            sort=query.sort,
            unused=self.unused,
        )
        self.store.retitle(_title(page, unused=self.unused))
        return Page(page.data, page.total, page.next_cursor)

    def call(self) -> Call[Any]:
        table = self.store.table
        return calls.adapters(table.q, PAGE, sort=table.sort, unused=self.unused)

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

    def action_garbage(self) -> None:
        self.unused = not self.unused
        table = self.store.table
        table.empty = NO_GARBAGE if self.unused else NO_ADAPTERS
        table.show_source(self._read)

    @changes
    @work
    async def action_import_adapter(self) -> None:
        taken: list[Adapter] = []
        if await self.app.push_screen_wait(import_form(self.client, taken.append)):
            self.store.table.point_at(taken[0].id)

    @work
    async def action_export(self) -> None:
        adapter = self.store.table.current
        if adapter is not None:
            await self.app.push_screen_wait(export_form(self.client, adapter.id))

    @changes
    async def action_new_vplm(self) -> None:
        adapter = self.store.table.current
        if adapter is not None:
            await self.hmi.start_from(adapter)

    @work(group="verify", exclusive=True)
    async def action_verify(self) -> None:
        ids = self.store.table.chosen_keys
        bad: list[Fact] = []
        with self.hmi.complaining():
            for adapter_id in ids:
                check = await self.client.verify_adapter(adapter_id)
                if not check.ok:
                    bad.append((adapter_id[:12], check.detail, "bad"))
            if bad:
                self.app.push_screen(Facts(f"{len(bad)} of {len(ids)} are damaged", bad))
            elif ids:
                self.notify(f"✓ {_named(ids)}: the file is what it was.", markup=False)

    @changes
    @work
    async def action_delete_adapter(self) -> None:
        ids = self.store.table.chosen_keys
        if ids:
            goes = "The file is removed from the store. One that is in use is refused."
            await self._delete(ids, f"Delete {_named(ids)}?", goes)

    @changes
    @work
    async def action_remove_garbage(self) -> None:
        with self.hmi.complaining():
            page = await self.client.adapters(limit=AT_ONCE, unused=True)
            if not page.data:
                self.notify("There is no garbage: every adapter is used.")
                return
            ids = [adapter.id for adapter in page.data]
            goes = (
                f"{several([one[:12] for one in ids])}: {figures.size(page.unused_bytes)} in all."
            )
            question = f"Delete {len(ids):,} adapters that nobody uses?"
            await self._delete(ids, question, goes)

    async def _delete(self, ids: Sequence[str], question: str, goes: str) -> None:
        if not await self.app.push_screen_wait(Confirm(question, goes)):
            return
        with self.hmi.complaining():
            for adapter_id in ids:
                await self.client.remove_adapter(adapter_id)
            self.notify(f"Deleted {_named(ids)}.", markup=False)
        self.store.table.unmark()
        self.store.table.reread()


def _named(ids: Sequence[str]) -> str:
    return f"adapter {ids[0][:12]}" if len(ids) == 1 else f"{len(ids):,} adapters"


def _title(page: AdapterPage, *, unused: bool) -> str:
    if unused:
        return f"Garbage · {figures.size(page.unused_bytes)} that nobody uses"
    garbage = f" · {figures.size(page.unused_bytes)} unused" if page.unused else ""
    return f"Adapters · {figures.size(page.bytes)}{garbage}"


def adapter_facts(adapter: Adapter) -> list[Fact]:
    """What there is to say of an adapter."""
    made = "random parameters" if adapter.created_by == "random" else f"job {adapter.created_by}"
    if adapter.created_by == "import":
        made = "imported from a file" + (f", made by {adapter.origin}" if adapter.origin else "")
    facts: list[Fact] = [
        ("sha256", adapter.id),
        ("bytes", f"{figures.size(adapter.bytes)} ({adapter.bytes:,})"),
        ("tier", adapter.tier),
        ("used by", "\n".join(adapter.users[:20]) or "nobody; <remove_garbage:z> removes all such"),
        ("made by", made),
        ("in domain", adapter.domain or figures.NOTHING),
        ("rank", str(adapter.rank)),
        ("labels", ", ".join(adapter.label_names) or str(adapter.labels)),
        ("created", instant(adapter.created_at)),
    ]
    if adapter.backbone_sha256:
        facts.append(("backbone", adapter.backbone_sha256))
    return facts
