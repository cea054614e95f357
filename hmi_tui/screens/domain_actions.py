"""What an operator does with the nodes of the domains' mode."""

from __future__ import annotations

from textual import work

from engine.schema import Domain, Kind
from hmi_tui import figures
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.domain_forms import (
    change_domain_form,
    corpus_form,
    domain_form,
    rebuild_form,
)
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.widgets.domain_rows import DomainRow
from hmi_tui.widgets.listing import Listing


class DomainActions(ModeScreen):
    """For the mode that has the list `nodes`, which hides what is under those in `folded`."""

    nodes: Listing[DomainRow]
    folded: set[str]
    kind: Kind = "classifier"
    """Whose backbone's tables are shown."""

    @property
    def domain(self) -> Domain | None:
        """The node under the cursor."""
        row = self.nodes.table.current
        return None if row is None else row.domain

    @property
    def _names(self) -> list[str]:
        status = self.hmi.feed.latest.status
        return [domain.name for domain in status.domains] if status else ["general"]

    @changes
    @work
    async def action_create_domain(self) -> None:
        parent = self.domain.name if self.domain else "general"
        form = domain_form(self.client, self._names, parent)
        if await self.app.push_screen_wait(form):
            self.folded.discard(parent)
        # The node is there even if its corpus was refused and the form given up.
        self.hmi.look_now()

    @changes
    @work
    async def action_upload_corpus(self) -> None:
        domain = self.domain
        if domain is not None and await self.app.push_screen_wait(
            corpus_form(self.client, domain.name)
        ):
            self.hmi.look_now()

    @changes
    @work
    async def action_rebuild(self) -> None:
        domain = self.domain
        if domain is not None and await self.app.push_screen_wait(
            rebuild_form(self.client, domain, kind=self.kind)
        ):
            self.hmi.look_now()

    @changes
    @work
    async def action_change_domain(self) -> None:
        domain = self.domain
        if domain is not None and await self.app.push_screen_wait(
            change_domain_form(self.client, domain, self._names)
        ):
            self.hmi.look_now()

    @changes
    @work
    async def action_delete_domain(self) -> None:
        domain = self.domain
        if domain is None:
            return
        if domain.parent is None:
            self.notify(f"{domain.name} is the root of the tree and stays.", markup=False)
            return
        vplms = figures.many(domain.vplms, "vPLM")
        goes = f"Its table and text are lost. Its children and its {vplms} go to {domain.parent}."
        if await self.app.push_screen_wait(Confirm(f"Delete domain {domain.name}?", goes)):
            with self.hmi.complaining():
                await self.client.remove_domain(domain.name)
                self.notify(f"Deleted domain {domain.name}.", markup=False)
            self.hmi.look_now()
