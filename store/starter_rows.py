"""Starting points in the catalogue: published adapters, by owner, name and version."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from store.connections import Connections
from store.errors import NotFound
from store.rows import StarterRow
from store.rowset import Filter, RowSet, TableKind, containing
from store.users import ids_by_adapter

STARTERS = TableKind(
    table="starters",
    key=("owner", "name", "version"),
    noun="starting point",
    remedy="hmi starter ls lists them.",
    sorts={
        "id": "owner || '/' || name",
        "name": "name",
        "owner": "owner",
        "accuracy": "accuracy",
        "published_at": "published_at",
    },
)

_ID = "owner || '/' || name || ' ' || card"


class StarterRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, STARTERS, StarterRow)

    def publish(self, row: StarterRow) -> StarterRow:
        """Enter it as the next version of its name, whatever version it says; as entered."""
        sql = (
            "select coalesce(max(version), 0) as newest from starters where owner = ? and name = ?"
        )
        with self._connections.writing() as db:
            newest = next(iter(db.query(sql, [row.owner, row.name])))["newest"]
            entered = replace(row, version=newest + 1)
            self._rows.insert(db, [entered])
        return entered

    def get(self, owner: str, name: str, version: int | None = None) -> StarterRow:
        """That version, or the newest. NotFound."""
        sql, values = "owner = ? and name = ?", [owner, name]
        if version is not None:
            found = self._rows.where(f"{sql} and version = ?", [*values, version])
        else:
            found = self._rows.where(f"{sql} order by version desc limit 1", values)
        if not found:
            whole = f"{owner}/{name}" if owner else name
            asked = whole if version is None else f"{whole}:{version}"
            raise NotFound(f'There is no starting point "{asked}".', remedy=STARTERS.remedy)
        return found[0]

    def page(
        self,
        q: str = "",
        owners: Sequence[str] | None = None,
        sort: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[list[StarterRow], int]:
        """Those with `q` in the name or the card, of these owners or all, and how many there
        are."""
        filters: list[Filter] = containing(_ID, q)
        if owners is not None:
            known = json.dumps(list(owners))
            filters.append(("owner in (select value from json_each(?))", known))
        return self._rows.page(filters, sort, limit, offset)

    def remove(self, owner: str, name: str, version: int) -> StarterRow:
        """What it was; its adapter stays. NotFound."""
        row = self.get(owner, name, version)
        with self._connections.writing() as db:
            db.execute(
                "delete from starters where owner = ? and name = ? and version = ?",
                [owner, name, version],
            )
        return row

    def users_of(self, adapters: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the starting points that have each of these adapters."""
        return ids_by_adapter(self._rows, adapters, "owner, name, version")
