"""Calls about starting points: adapters that are published for others to start from."""

from __future__ import annotations

import time

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.starting import starter_of, version_of
from engine.errors import BadInput
from engine.schema import Starter, StarterPage, StarterPublish
from store.rows import StarterRow


class StarterCalls(Calls):
    def starters(
        self, q: str, tenant: str | None, sort: str | None, limit: int, cursor: str | None
    ) -> StarterPage:
        """All, or those that `tenant` may start from: the operator's and its own."""
        core, offset = self._core, offset_of(cursor)
        owners = None
        if tenant is not None:
            owners = ["", core.catalogue.tenants.get(tenant).name]
        rows, total = core.catalogue.starters.page(q, owners, sort, limit, offset)
        return StarterPage(
            data=[_starter(row) for row in rows],
            total=total,
            next_cursor=next_cursor(offset, len(rows), total),
        )

    def starter(self, id: str, tenant: str | None) -> Starter:
        """By id; `tenant` sees what `starters` lists for it, None all."""
        return _starter(starter_of(self._core, id, tenant))

    def publish_starter(self, request: StarterPublish) -> Starter:
        core = self._core
        with core.changing:
            row, version = version_of(core, request.vplm)
            if request.version is not None:
                version = core.catalogue.versions.get(row.tenant, row.name, request.version)
            if request.owner not in (None, row.tenant):
                raise BadInput(
                    f'"{row.id}" is not "{request.owner}"\'s to publish.',
                    remedy=f"Give {row.tenant} as the owner, or none: then it is the operator's.",
                    code="not_its_own",
                )
            entered = core.catalogue.starters.publish(
                StarterRow(
                    owner=request.owner or "",
                    name=request.name,
                    version=0,
                    adapter=version.adapter,
                    labels=row.labels,
                    domain=row.domain,
                    mode=row.mode,
                    accuracy=version.accuracy,
                    card=request.card.model_dump(),
                    source=version.id,
                    published_at=time.time(),
                )
            )
        return _starter(entered)

    def remove_starter(self, id: str) -> None:
        """vPLMs that started from it stay as they are."""
        core = self._core
        with core.changing:
            row = starter_of(core, id, None)
            core.catalogue.starters.remove(row.owner, row.name, row.version)
            core.leftovers.discard_if_unused(row.adapter)


def _starter(row: StarterRow) -> Starter:
    return Starter(
        id=row.id,
        owner=row.owner or None,
        name=row.name,
        version=row.version,
        adapter=row.adapter,
        labels=list(row.labels),
        domain=row.domain,
        mode="exact" if row.mode == "exact" else "plot",
        accuracy=row.accuracy,
        task=row.card.get("task", ""),
        data=row.card.get("data", ""),
        note=row.card.get("note", ""),
        source=row.source,
        published_at=row.published_at,
    )
