"""Versions of vPLMs: what each publication was, and which of them are kept.

A version that is kept keeps its adapter. Rows are written with the vPLM that they are of, in its
transaction (see vplm_rows); what is here is what that needs, and how to read them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlite_utils import Database

from store.connections import Connections
from store.errors import NotFound
from store.rows import VersionRow
from store.rowset import RowSet, TableKind
from store.users import ids_by_adapter

KEPT = 10
"""Versions of a vPLM that are kept where nobody says how many."""

VERSIONS = TableKind(
    table="versions",
    key=("tenant", "name", "version"),
    noun="version",
    remedy="hmi vplm versions lists them.",
    sorts={"version": "version", "accuracy": "accuracy", "published_at": "published_at"},
)


class VersionRows:
    """Methods that take a `db` work inside the caller's transaction."""

    def __init__(self, connections: Connections) -> None:
        self._rows = RowSet(connections, VERSIONS, VersionRow)

    def of(self, tenant: str, name: str) -> list[VersionRow]:
        """Those that are kept, the newest first."""
        return self._rows.where("tenant = ? and name = ? order by version desc", (tenant, name))

    def get(self, tenant: str, name: str, version: int) -> VersionRow:
        """NotFound, which says which there are."""
        kept = self.of(tenant, name)
        for row in kept:
            if row.version == version:
                return row
        numbers = ", ".join(str(row.version) for row in reversed(kept)) or "none"
        raise NotFound(
            f'vPLM "{tenant}/{name}" has no version {version}; it has {numbers}.',
            remedy=VERSIONS.remedy,
        )

    def users_of(self, adapters: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the versions that have each of these adapters."""
        return ids_by_adapter(self._rows, adapters, "tenant, name, version")

    def enter(self, db: Database, rows: Sequence[VersionRow]) -> None:
        self._rows.insert(db, rows)

    def keep(self, db: Database, tenant: str, name: str, newest: int) -> None:
        """Forget all versions of a vPLM but the newest so many."""
        db.execute(
            "delete from versions where tenant = ? and name = ? and version not in ("
            "select version from versions where tenant = ? and name = ? "
            "order by version desc limit ?)",
            [tenant, name, tenant, name, newest],
        )

    def forget(self, db: Database, tenant: str, name: str) -> None:
        """The vPLM goes."""
        db.execute("delete from versions where tenant = ? and name = ?", [tenant, name])
