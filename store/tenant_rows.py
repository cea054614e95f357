"""Tenants in the catalogue."""

from __future__ import annotations

from typing import TypedDict, Unpack

from store.connections import Connections
from store.rows import KeyRow, QuotaLimits, TenantRow
from store.rowset import RowSet, TableKind, containing

TENANTS = TableKind(
    table="tenants",
    key=("name",),
    noun="tenant",
    remedy="hmi tenant ls lists them.",
    sorts={
        "name": "name",
        "weight": "weight",
        "created_at": "created_at",
        "stored_bytes": "(select coalesce(sum(bytes), 0) from adapters where id in "
        "(select adapter from adapter_uses where tenant = tenants.name))",
        "used_bytes": "(select coalesce(sum(bytes), 0) from adapters where id in "
        "(select adapter from adapter_uses where tenant = tenants.name)) + "
        "(select coalesce(sum(bytes), 0) from datasets where tenant = tenants.name)",
        "vplms": "(select count(*) from vplms where tenant = tenants.name)",
    },
)

KEYS = TableKind(
    table="keys",
    key=("id",),
    noun="key",
    remedy="hmi key and hmi tenant key NAME list them.",
    sorts={"created_at": "created_at"},
)

_NOBODY_ELSE_USES = """
    select distinct adapter from adapter_uses where tenant = :tenant
    and adapter not in (select adapter from adapter_uses where tenant <> :tenant)
    order by adapter
"""


class TenantChanges(TypedDict, total=False):
    weight: float
    quota: QuotaLimits


class TenantRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, TENANTS, TenantRow)
        self._keys = RowSet(connections, KEYS, KeyRow)

    def add(self, row: TenantRow, key: KeyRow | None = None) -> None:
        """Enter a tenant and its first key, both or neither. Exists."""
        with self._connections.writing() as db:
            self._rows.insert(db, [row])
            self._keys.insert(db, [] if key is None else [key])

    def get(self, name: str) -> TenantRow:
        """NotFound."""
        return self._rows.get((name,))

    def page(
        self, q: str = "", sort: str | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[TenantRow], int]:
        """Tenants with `q` in the name, and how many there are. BadInput for an unknown sort."""
        return self._rows.page(containing("name", q), sort, limit, offset)

    def change(self, name: str, **changes: Unpack[TenantChanges]) -> TenantRow:
        """NotFound."""
        with self._connections.writing() as db:
            return self._rows.change(db, (name,), changes)

    def remove(self, name: str) -> tuple[list[str], list[str]]:
        """Remove the tenant, its vPLMs, starting points, datasets and keys, in one transaction.

        Returns the ids of adapters that nobody uses now (their rows stay until
        `adapters.remove`) and the path names of its datasets' files. NotFound.
        """
        with self._connections.writing() as db:
            adapters = [row["adapter"] for row in db.query(_NOBODY_ELSE_USES, {"tenant": name})]
            sql = "select path_name from datasets where tenant = ? order by name"
            paths = [row["path_name"] for row in db.query(sql, [name])]
            db.execute("delete from vplms where tenant = ?", [name])
            db.execute("delete from versions where tenant = ?", [name])
            db.execute("delete from starters where owner = ?", [name])
            db.execute("delete from datasets where tenant = ?", [name])
            db.execute("delete from usage where tenant = ?", [name])
            db.execute("delete from keys where tenant = ?", [name])
            self._rows.remove(db, (name,))
        return adapters, paths

    def count(self) -> int:
        return self._rows.count()
