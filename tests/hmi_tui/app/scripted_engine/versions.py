"""What the engine in memory answers about versions of vPLMs."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.schema import Published, VplmVersion, VplmVersions
from tests.hmi_tui.app.engine_documents import NOW
from tests.hmi_tui.app.scripted_engine.vplms import VplmAnswers


def some_versions() -> list[VplmVersion]:
    """Three, the newest first; the newest serves."""
    return [
        VplmVersion(
            version=number,
            adapter=f"{number:064x}",
            rank=64,
            bytes=400_000,
            accuracy=None if number == 1 else 0.8 + 0.05 * number,
            origin="created" if number == 1 else "trained",
            source="random" if number == 1 else f"job-{number}",
            domain="reviews",
            published_at=NOW - 86_400 * (4 - number),
            serving=number == 3,
        )
        for number in (3, 2, 1)
    ]


@dataclass
class VersionAnswers(VplmAnswers):
    """Every vPLM has the same ones."""

    version_rows: list[VplmVersion] = field(default_factory=some_versions)

    async def versions(self, id: str) -> VplmVersions:
        self._answer()
        return VplmVersions(vplm=id, data=self.version_rows, keeps=10)

    async def roll_back(self, id: str, version: int) -> Published:
        self._answer("roll_back", id, version)
        old = next(row for row in self.version_rows if row.version == version)
        made = old.model_copy(update={"version": 4, "origin": "rollback", "serving": True})
        before = [row.model_copy(update={"serving": False}) for row in self.version_rows]
        self.version_rows = [made, *before]
        return Published(**(await self.vplm(id)).model_dump() | {"version": 4})
