"""What the engine in memory answers about adapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from engine.client import Conflict
from engine.schema import Adapter, AdapterCheck, AdapterPage
from tests.hmi_tui.app.engine_documents import a_spare_adapter
from tests.hmi_tui.app.scripted_engine.paging import paged
from tests.hmi_tui.app.scripted_engine.vplms import VplmAnswers


@dataclass
class AdapterAnswers(VplmAnswers):
    """Every vPLM has an adapter of its own."""

    spare_adapters: list[Adapter] = field(default_factory=list)
    """Those that no vPLM uses."""
    damaged: set[str] = field(default_factory=set)

    async def adapters(
        self,
        q: str = "",
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        unused: bool = False,
    ) -> AdapterPage:
        self._answer()
        rows = [
            Adapter(
                id=row.adapter,
                bytes=row.stored_bytes,
                rank=row.rank,
                labels=len(row.labels),
                tier=row.tier,
                users=[row.id],
                created_by="random" if row.accuracy is None else "job-1",
                created_at=row.created_at,
            )
            for row in self.vplm_rows
        ]
        rows = self.spare_adapters if unused else rows + self.spare_adapters
        page, total, following = paged(rows, "id", q, limit, cursor, sort)
        held = sum(row.bytes for row in rows)
        spare = sum(row.bytes for row in self.spare_adapters)
        return AdapterPage(
            data=page,
            total=total,
            bytes=held,
            next_cursor=following,
            unused=len(self.spare_adapters),
            unused_bytes=spare,
        )

    async def import_adapter(self, file: Path) -> Adapter:
        self._answer("import_adapter", file)
        self.spare_adapters.append(a_spare_adapter(file.name))
        return self.spare_adapters[-1]

    async def adapter_file(self, id: str) -> bytes:
        self._answer("adapter_file", id)
        return b"tensors"

    async def verify_adapter(self, id: str) -> AdapterCheck:
        self._answer("verify_adapter", id)
        bad = id in self.damaged
        return AdapterCheck(id=id, ok=not bad, detail="It does not match." if bad else "")

    async def remove_adapter(self, id: str) -> None:
        self._answer("remove_adapter", id)
        spare = [row for row in self.spare_adapters if row.id != id]
        if spare != self.spare_adapters:
            self.spare_adapters = spare
            return
        raise Conflict(f"Adapter {id[:12]} is in use.", remedy="Delete the vPLMs that use it.")
