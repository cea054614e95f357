"""What the engine in memory answers about starting points."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.client import NotFound
from engine.schema import Starter, StarterPage, StarterPublish
from tests.hmi_tui.app.engine_documents import NOW, sha
from tests.hmi_tui.app.scripted_engine.paging import paged
from tests.hmi_tui.app.scripted_engine.script import Script


def starter(name: str, owner: str | None = None) -> Starter:
    """Its first version."""
    return Starter(
        id=f"{owner}/{name}:1" if owner else f"{name}:1",
        owner=owner,
        name=name,
        version=1,
        adapter=sha(name),
        labels=["billing", "outage"],
        domain="support",
        mode="plot",
        accuracy=0.931,
        task="what a ticket is about",
        data="tickets",
        note="",
        source="acme/tickets:3",
        published_at=NOW - 86_400,
    )


@dataclass
class StarterAnswers(Script):
    starter_rows: list[Starter] = field(default_factory=list)

    async def starters(
        self,
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
    ) -> StarterPage:
        self._answer()
        mine = [row for row in self.starter_rows if tenant is None or row.owner in (None, tenant)]
        rows, total, following = paged(mine, "id", q, limit, cursor, sort)
        return StarterPage(data=rows, total=total, next_cursor=following)

    async def starter(self, id: str) -> Starter:
        self._answer()
        for row in self.starter_rows:
            if id in (row.id, row.id.partition(":")[0]):
                return row
        raise NotFound(f'There is no starting point "{id}".', remedy="hmi starter ls lists them.")

    async def publish_starter(self, request: StarterPublish) -> Starter:
        self._answer("publish_starter", request)
        made = starter(request.name, request.owner)
        self.starter_rows.append(made)
        return made
