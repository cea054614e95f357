"""Adapters in the catalogue: what each blob is and who uses it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from store.connections import Connections
from store.errors import InUse
from store.rows import AdapterRow
from store.rowset import RowSet, TableKind, containing

ADAPTERS = TableKind(
    table="adapters",
    key=("id",),
    noun="adapter",
    remedy="hmi adapter ls lists them.",
    sorts={
        "id": "id",
        "bytes": "bytes",
        "rank": "rank",
        "labels": "labels",
        "created_by": "created_by",
        "created_at": "created_at",
    },
)

_USERS = """
    select 'vPLM "' || tenant || '/' || name || '"' as user from vplms where adapter = ?
    union all
    select 'version ' || version || ' of vPLM "' || tenant || '/' || name || '"'
    from versions where adapter = ?
    union all
    select 'starting point "' || iif(owner = '', '', owner || '/') || name || ':' || version || '"'
    from starters where adapter = ?
    limit 1
"""
"""Who uses an adapter, vPLMs that answer with it first."""


_UNUSED_SIZE = """
    select count(*) as adapters, coalesce(sum(bytes), 0) as bytes from adapters
    where id not in (select adapter from adapter_uses)
"""


class Unused(NamedTuple):
    """What nothing uses: how many adapters, and their bytes."""

    adapters: int
    bytes: int


class Built(NamedTuple):
    """What an adapter takes, and where in a layer its bottlenecks sit."""

    bytes: int
    places: str


class AdapterRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, ADAPTERS, AdapterRow)
        self._unused: tuple[int, Unused] | None = None

    def add(self, row: AdapterRow) -> None:
        """Exists."""
        self.add_many([row])

    def add_many(self, rows: Iterable[AdapterRow]) -> None:
        """All in one transaction, or none. Exists names the first that is there already."""
        given = list(rows)
        with self._connections.writing() as db:
            self._rows.insert(db, given)

    def get(self, adapter: str) -> AdapterRow:
        """NotFound."""
        return self._rows.get((adapter,))

    def page(
        self,
        q: str = "",
        sort: str | None = None,
        limit: int = 100,
        offset: int = 0,
        *,
        unused: bool = False,
    ) -> tuple[list[AdapterRow], int]:
        """Adapters with `q` in the id or in what made them, all or only those that nothing uses,
        and how many there are."""
        filters = containing("id || ' ' || created_by", q)
        if unused:
            filters.append(("(id not in (select adapter from adapter_uses)) = ?", 1))
        return self._rows.page(filters, sort, limit, offset)

    def remove(self, adapter: str) -> AdapterRow:
        """Take it out of the catalogue; what it was. NotFound; InUse names who uses it.

        Its blob is deleted after this: a blob without a row is swept, a row without one is damage.
        """
        with self._connections.writing() as db:
            for user in db.query(_USERS, [adapter] * 3):
                raise InUse(
                    f'Adapter "{adapter}" is used by {user["user"]}.',
                    remedy="Remove or retrain the vPLMs that use it first, and what else keeps it.",
                )
            return self._rows.remove(db, (adapter,))

    def unused(self) -> list[str]:
        """Ids of adapters that neither a version of a vPLM nor a starting point uses."""
        sql = (
            "select id from adapters where id not in (select adapter from adapter_uses) order by id"
        )
        return [row["id"] for row in self._connections.query(sql)]

    def used(self, adapter: str) -> bool:
        """Whether a version of a vPLM or a starting point has it."""
        sql = "select exists (select 1 from adapter_uses where adapter = ?)"
        return bool(self._connections.value(sql, [adapter]))

    def ids(self) -> set[str]:
        return {row["id"] for row in self._connections.query("select id from adapters")}

    def bytes_of(self, adapters: Iterable[str]) -> dict[str, int]:
        """Bytes by id, of those that are there; one query, however many are asked for."""
        sql = "select id, bytes from adapters where id in (select value from json_each(?))"
        found = self._connections.query(sql, [json.dumps(list(adapters))])
        return {row["id"]: row["bytes"] for row in found}

    def built(self, adapters: Iterable[str]) -> dict[str, Built]:
        """By id, of those that are there; one query, however many are asked for."""
        sql = "select id, bytes, places from adapters where id in (select value from json_each(?))"
        found = self._connections.query(sql, [json.dumps(list(adapters))])
        return {row["id"]: Built(row["bytes"], row["places"]) for row in found}

    def total_bytes(self) -> int:
        """Bytes of all adapters, used or not."""
        return int(self._connections.value("select coalesce(sum(bytes), 0) from adapters"))

    def unused_size(self) -> Unused:
        """What nothing uses. All adapters are looked at for it, so what was found holds until
        something is written: a list that is scrolled asks again and again."""
        writes = self._connections.writes
        if self._unused is None or self._unused[0] != writes:
            found = self._connections.query(_UNUSED_SIZE)[0]
            self._unused = writes, Unused(found["adapters"], found["bytes"])
        return self._unused[1]

    def count(self) -> int:
        return self._rows.count()
