"""Tenants: who there is, and the vPLMs of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine.client import AsyncClient, Call, assets_dir, calls
from engine.schema import Tenant, TenantCreated, Vplm
from hmi_tui import figures
from hmi_tui.paging import PAGE, Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.tenant_facts import several, tenant_facts, vplm_facts
from hmi_tui.screens.tenant_forms import change_tenant_form, tenant_form
from hmi_tui.screens.vplm_actions import VplmActions
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.fact_frame import FactFrame
from hmi_tui.widgets.fact_list import FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.tables import COST, TENANTS, VPLMS

REREAD_TICKS = 4
"""Lists are read again every fourth tick."""


class TenantsScreen(VplmActions):
    MODE = "tenants"
    ABOUT = (
        "Tenants at the left, the vPLMs of the chosen one at the right. New, delete and change "
        "act on the list that has the cursor. Mark several vPLMs with <mark:space>."
    )
    CSS_PATH = assets_dir() / "styles" / "tenants.tcss"
    AUTO_FOCUS = "#tenants-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New", tooltip="New tenant or vPLM, by the list you are in"),
        Binding("x", "delete", "Delete", tooltip="Delete the tenant or the vPLMs"),
        Binding("p", "pin", "Pin", tooltip="Keep the vPLM in device memory, or no longer"),
        Binding(
            "e", "change", "Change", show=False, tooltip="Weight and quota, or domain and mode"
        ),
        Binding("d", "describe", "Describe", show=False, tooltip="All that is known of the row"),
        Binding("a", "all", "All tenants", show=False, tooltip="The vPLMs of all tenants"),
        Binding("r", "rotate_key", "Rotate key", show=False, tooltip="A new key for the tenant"),
        Binding("v", "versions", "Versions", show=False, tooltip="Versions; roll the vPLM back"),
        Binding("t", "train_vplm", "Train", show=False, tooltip="Train the vPLM"),
        Binding("o", "try_vplm", "Try", show=False, tooltip="Ask the vPLM in the playground"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.tenants: Listing[Tenant] = Listing(
            "Tenants",
            TENANTS,
            lambda t: t.name,
            id="tenants",
            sort="name",
            empty="No tenants yet.\n<new:n> creates one.",
        )
        self.vplms: Listing[Vplm] = Listing(
            "vPLMs",
            VPLMS,
            lambda v: v.id,
            id="vplms",
            sort="id",
            empty="No vPLMs here yet.\nPress tab to come here, then <new:n> to create one or many.",
        )
        self.facts = FactList()
        self.owner: str | None = None
        self._shown: str | None = ""
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        facts = FactFrame(self.facts, id="tenant-facts")
        yield Horizontal(Vertical(self.tenants, facts, id="owners"), self.vplms)

    def see(self, snapshot: Snapshot) -> None:
        if not snapshot.ready:
            return
        if not self._ticks:
            self.tenants.table.show_source(self._read_tenants)
        elif self._ticks % REREAD_TICKS == 0:
            self.tenants.table.reread()
            self.vplms.table.reread()
        self._ticks += 1

    async def _read_tenants(self, query: Query) -> Page[Tenant]:
        page = await self.client.tenants(
            q=query.q, limit=query.limit, cursor=query.cursor, sort=query.sort
        )
        priced = any(tenant.cost is not None for tenant in page.data)
        self.tenants.table.columns = (*TENANTS, COST) if priced else TENANTS
        return Page(page.data, page.total, page.next_cursor)

    def _show_vplms(self, owner: str | None) -> None:
        if owner == self._shown:
            return
        self._shown = owner
        client: AsyncClient = self.client

        async def read(query: Query) -> Page[Vplm]:
            page = await client.vplms(
                q=query.q, tenant=owner, limit=query.limit, cursor=query.cursor, sort=query.sort
            )
            return Page(page.data, page.total, page.next_cursor)

        self.vplms.retitle(f"vPLMs of {owner or 'all tenants'}")
        self.vplms.table.show_source(read)

    @on(PagedView.Moved, "#tenants-table")
    def _tenant_chosen(self, event: PagedView.Moved) -> None:
        row: Any = event.row
        name = None if row is None else row.name
        self.query_one("#tenant-facts").border_title = name or "Tenant"
        self.facts.tell(
            tenant_facts(row) if row else (("", "No tenant yet; <new:n> creates one."),)
        )
        if name != self.owner or self._shown == "":
            self.owner = name
            self._show_vplms(name)

    @on(PagedView.Chosen, "#tenants-table")
    def _tenant_entered(self) -> None:
        self._show_vplms(self.owner)
        self.vplms.table.focus()

    @on(PagedView.Chosen, "#vplms-table")
    def _vplm_entered(self) -> None:
        self.action_describe()

    def call(self) -> Call[Any]:
        if self.in_vplms:
            table = self.vplms.table
            return calls.vplms(table.q, self._shown, PAGE, sort=table.sort)
        return calls.tenants(self.tenants.table.q, PAGE, sort=self.tenants.table.sort)

    @property
    def in_vplms(self) -> bool:
        return self.vplms.has_focus_within

    def changed(self, *, tenants_too: bool = True) -> None:
        if tenants_too:
            self.tenants.table.reread()
        self.vplms.table.unmark()
        self.vplms.table.reread()

    # -- either list -----------------------------------------------------------------------

    @changes
    async def action_new(self) -> None:
        await self.run_action("create_vplm" if self.in_vplms else "create_tenant")

    @changes
    async def action_delete(self) -> None:
        await self.run_action("delete_vplm" if self.in_vplms else "delete_tenant")

    @changes
    async def action_change(self) -> None:
        await self.run_action("change_vplm" if self.in_vplms else "change_tenant")

    def action_describe(self) -> None:
        vplm, tenant = self.vplms.table.current, self.tenants.table.current
        if self.in_vplms and vplm is not None:
            self.app.push_screen(Facts(vplm.id, vplm_facts(vplm), vplm.adapter))
        elif tenant is not None:
            self.app.push_screen(Facts(tenant.name, tenant_facts(tenant)))

    def action_all(self) -> None:
        self._show_vplms(None)
        self.vplms.table.focus()

    # -- tenants ---------------------------------------------------------------------------

    @changes
    @work
    async def action_create_tenant(self) -> None:
        made: list[TenantCreated] = []
        if await self.app.push_screen_wait(tenant_form(self.client, made.append)):
            self.changed()
            self._show_key(made[0])

    def _show_key(self, made: TenantCreated) -> None:
        self.tenants.table.point_at(made.name)
        facts = [("key", "Shown this once. Client programs send it as a bearer token.")]
        self.app.push_screen(Facts(f"Key of {made.name}", facts, made.api_key))

    @changes
    @work
    async def action_change_tenant(self) -> None:
        tenant = self.tenants.table.current
        if tenant is not None and await self.app.push_screen_wait(
            change_tenant_form(self.client, tenant)
        ):
            self.changed()

    @changes
    @work
    async def action_delete_tenant(self) -> None:
        names, tenant = self.tenants.table.chosen_keys, self.tenants.table.current
        if not names:
            return
        if len(names) == 1 and tenant is not None and tenant.name == names[0]:
            vplms = figures.many(tenant.vplms, "vPLM")
            goes = f"Its {vplms}, their adapters and its datasets go with it."
        else:
            goes = f"{several(names)}\nTheir vPLMs, adapters and datasets go with them."
        what = f"tenant {names[0]}" if len(names) == 1 else f"{len(names)} tenants"
        if await self.app.push_screen_wait(Confirm(f"Delete {what}?", goes)):
            with self.hmi.complaining():
                for name in names:
                    await self.client.remove_tenant(name)
                self.notify(f"Deleted {what}.", markup=False)
            self.tenants.table.unmark()
            self.changed()

    @changes
    @work
    async def action_rotate_key(self) -> None:
        tenant = self.tenants.table.current
        if tenant is not None and await self.app.push_screen_wait(
            Confirm(f"Make a new key for {tenant.name}?", "The old key stops working.", "Rotate")
        ):
            with self.hmi.complaining():
                self._show_key(await self.client.rotate_key(tenant.name))
