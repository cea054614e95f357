"""Tenants' datasets in the catalogue."""

from __future__ import annotations

import sqlite3

from store.connections import Connections
from store.rows import DatasetRow
from store.rowset import Filter, RowSet, TableKind, containing
from store.tenant_rows import TENANTS

DATASETS = TableKind(
    table="datasets",
    key=("tenant", "name"),
    noun="dataset",
    remedy="Upload it first (hmi dataset put); hmi train does so with the file it is given.",
    sorts={
        "name": "name",
        "rows": "rows",
        "bytes": "bytes",
        "created_at": "created_at",
        "duplicates": "duplicates",
        "conflicts": "conflicts",
    },
)


class DatasetRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, DATASETS, DatasetRow)

    def put(self, row: DatasetRow) -> DatasetRow | None:
        """Add it, or replace the one of that name, which is returned: its file can go.

        NotFound for a tenant that is not there.
        """
        key = (row.tenant, row.name)
        with self._connections.writing() as db:
            replaced = next(
                iter(db.query("select * from datasets where tenant = ? and name = ?", key)), None
            )
            if replaced is not None:
                self._rows.remove(db, key)
            try:
                self._rows.insert(db, [row])
            except sqlite3.IntegrityError:
                raise TENANTS.missing((row.tenant,)) from None
        return None if replaced is None else self._rows.columns.row(replaced)

    def get(self, tenant: str, name: str) -> DatasetRow:
        """NotFound."""
        return self._rows.get((tenant, name))

    def all(self, tenant: str | None = None) -> list[DatasetRow]:
        """Datasets of a tenant, or of all, by name."""
        if tenant is None:
            return self._rows.where("true order by tenant, name")
        return self._rows.where("tenant = ? order by name", [tenant])

    def page(
        self, tenant: str, q: str = "", sort: str | None = None, limit: int = 100, offset: int = 0
    ) -> tuple[list[DatasetRow], int]:
        """A tenant's datasets with `q` in the name, and how many there are."""
        filters: list[Filter] = [("tenant = ?", tenant), *containing("name", q)]
        return self._rows.page(filters, sort, limit, offset)

    def find(self, tenant: str, name: str) -> DatasetRow | None:
        """None if there is none."""
        found = self._rows.where("tenant = ? and name = ?", [tenant, name])
        return found[0] if found else None

    def remove(self, tenant: str, name: str) -> DatasetRow:
        """What it was; its file can go. NotFound."""
        with self._connections.writing() as db:
            return self._rows.remove(db, (tenant, name))
