"""What the engine in memory answers about vPLMs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from engine.client import NotFound
from engine.schema import Mode, Vplm, VplmBulkCreate, VplmCreate, VplmPage
from tests.hmi_tui.app.engine_documents import vplm
from tests.hmi_tui.app.scripted_engine.paging import paged
from tests.hmi_tui.app.scripted_engine.script import Script


@dataclass
class VplmAnswers(Script):
    vplm_rows: list[Vplm] = field(default_factory=list)
    pages: int = 0

    async def vplms(
        self,
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        fuzzy: bool = False,
    ) -> VplmPage:
        self._answer()
        self.pages += 1
        mine = [row for row in self.vplm_rows if tenant in (None, row.tenant)]
        if fuzzy and not any(q in row.id for row in mine):
            pattern = re.compile(".*".join(map(re.escape, q)))
            mine, q = [row for row in mine if pattern.search(row.id)], ""
        rows, total, following = paged(mine, "id", q, limit, cursor, sort)
        return VplmPage(data=rows, total=total, next_cursor=following)

    async def vplm(self, id: str) -> Vplm:
        self._answer()
        for row in self.vplm_rows:
            if row.id == id:
                return row
        raise NotFound(f'There is no vPLM "{id}".', remedy="hmi vplm ls lists them.")

    async def create_vplm(self, request: VplmCreate) -> Vplm:
        self._answer("create_vplm", request)
        made = vplm(request.tenant, request.name, domain=request.domain, labels=request.labels)
        self.vplm_rows.append(made)
        return made

    async def create_vplms(self, request: VplmBulkCreate) -> list[str]:
        self._answer("create_vplms", request)
        made = [
            vplm(request.tenant, f"{request.name}-{number:05d}")
            for number in range(1, request.count + 1)
        ]
        self.vplm_rows += made
        return [row.id for row in made]

    async def change_vplm(
        self,
        id: str,
        pin: bool | None = None,
        domain: str | None = None,
        mode: Mode | None = None,
        miss: str | None = None,
    ) -> Vplm:
        self._answer("change_vplm", id, pin, domain, mode, *([miss] if miss else []))
        changes: dict[str, Any] = {}
        if pin is not None:
            changes["pinned"] = pin
        if domain is not None:
            changes["domain"] = domain
        if mode is not None:
            changes["mode"] = mode
        self.vplm_rows = [
            row.model_copy(update=changes) if row.id == id else row for row in self.vplm_rows
        ]
        return await self.vplm(id)

    async def remove_vplm(self, id: str) -> None:
        self._answer("remove_vplm", id)
        self.vplm_rows = [row for row in self.vplm_rows if row.id != id]
