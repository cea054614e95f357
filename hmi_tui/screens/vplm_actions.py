"""What an operator does with the vPLMs of the tenants' mode."""

from __future__ import annotations

from textual import work

from engine.schema import Vplm
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.tenant_facts import several
from hmi_tui.screens.versions import Versions
from hmi_tui.screens.vplm_forms import (
    FROM_CHANCE,
    change_vplm_form,
    copy_form,
    starter_form,
    vplm_form,
)
from hmi_tui.screens.vplm_start import ADAPTER, Start
from hmi_tui.widgets.listing import Listing

ASKED_FOR = 1000
"""Tenants offered in the form."""


class VplmActions(ModeScreen):
    """For the mode that has the list `vplms`, of the tenant `owner` or, if that is None, of all."""

    vplms: Listing[Vplm]
    owner: str | None

    def changed(self, *, tenants_too: bool = True) -> None:
        """What the lists show is no longer so."""
        raise NotImplementedError

    @property
    def _domains(self) -> list[str]:
        status = self.hmi.feed.latest.status
        return [domain.name for domain in status.domains] if status else ["general"]

    @changes
    @work
    async def action_create_vplm(self, adapter: str = "", labels: str = "") -> None:
        """A new one, from chance or from an adapter of the store."""
        with self.hmi.complaining():
            page = await self.client.tenants(limit=ASKED_FOR, sort="name")
            names = [tenant.name for tenant in page.data]
            if not names:
                self.notify("A vPLM belongs to a tenant: create one first.")
                await self.run_action("create_tenant")
                return
            here = self.vplms.table.current
            domain = here.domain if here is not None else "general"
            owner = self.owner or names[0]
            start = Start(ADAPTER, adapter) if adapter else FROM_CHANCE
            backbones = [each.id for each in await self.client.backbones()]
            form = vplm_form(
                self.client, names, self._domains, owner, domain, start, labels, backbones
            )
            if await self.app.push_screen_wait(form):
                self.changed()

    @changes
    @work
    async def action_copy_vplm(self) -> None:
        """A new one that begins as the one under the cursor is now."""
        vplm = self.vplms.table.current
        if vplm is not None:
            form = copy_form(self.client, vplm.id, self._domains)
            if await self.app.push_screen_wait(form):
                self.changed()

    @changes
    @work
    async def action_publish_vplm(self) -> None:
        vplm = self.vplms.table.current
        if vplm is not None:
            await self.app.push_screen_wait(starter_form(self.client, vplm.id, vplm.version))

    @changes
    @work
    async def action_change_vplm(self) -> None:
        vplm, ids = self.vplms.table.current, self.vplms.table.chosen_keys
        if vplm is not None and await self.app.push_screen_wait(
            change_vplm_form(self.client, vplm, self._domains, ids)
        ):
            self.changed(tenants_too=False)

    @changes
    @work
    async def action_delete_vplm(self) -> None:
        ids = self.vplms.table.chosen_keys
        if not ids:
            return
        question = f"Delete vPLM {ids[0]}?" if len(ids) == 1 else f"Delete {len(ids)} vPLMs?"
        named = "" if len(ids) == 1 else several(ids) + "\n"
        it = "it" if len(ids) == 1 else "them"
        goes = f"{named}Adapter and head are lost; requests to {it} fail."
        if await self.app.push_screen_wait(Confirm(question, goes)):
            with self.hmi.complaining():
                for vplm_id in ids:
                    await self.client.remove_vplm(vplm_id)
                what = ids[0] if len(ids) == 1 else f"{len(ids)} vPLMs"
                self.notify(f"Deleted {what}.", markup=False)
            self.changed()

    @changes
    @work
    async def action_pin(self) -> None:
        ids, here = self.vplms.table.chosen_keys, self.vplms.table.current
        if not ids or here is None:
            return
        pin = not here.pinned
        with self.hmi.complaining():
            for vplm_id in ids:
                await self.client.change_vplm(vplm_id, pin=pin)
            what = ids[0] if len(ids) == 1 else f"{len(ids)} vPLMs"
            self.notify(f"{'Pinned' if pin else 'Unpinned'} {what}.", markup=False)
        self.changed(tenants_too=False)

    @work
    async def action_versions(self) -> None:
        vplm = self.vplms.table.current
        if vplm is not None:
            versions = Versions(self.client, vplm.id, self._domains)
            if await self.app.push_screen_wait(versions):
                self.changed()

    @changes
    async def action_train_vplm(self) -> None:
        vplm = self.vplms.table.current
        if vplm is not None:
            await self.hmi.train(vplm.id)

    async def action_try_vplm(self) -> None:
        vplm = self.vplms.table.current
        if vplm is not None:
            await self.hmi.try_out(vplm.id)
