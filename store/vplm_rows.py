"""vPLMs in the catalogue."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict, Unpack

from sqlite_utils import Database

from store.adapter_rows import ADAPTERS
from store.connections import Connections
from store.domain_rows import DOMAINS
from store.rows import AdapterRow, VersionRow, VplmRow
from store.rowset import Filter, Key, RowSet, TableKind, absent, containing, scattered
from store.tenant_rows import TENANTS
from store.users import ids_by_adapter
from store.version_rows import KEPT, VersionRows

VPLMS = TableKind(
    table="vplms",
    key=("tenant", "name"),
    noun="vPLM",
    remedy="hmi vplm ls lists them.",
    sorts={
        "id": "tenant || '/' || name",
        "name": "name",
        "tenant": "tenant",
        "domain": "domain",
        "mode": "mode",
        "task": "task",
        "backbone": "backbone",
        "rank": "rank",
        "version": "version",
        "pinned": "pinned",
        "accuracy": "accuracy",
        "created_at": "created_at",
        "last_used": "last_used",
        "stored_bytes": "(select bytes from adapters where id = vplms.adapter)",
    },
)

_BATCH = 1000
_ID = "tenant || '/' || name"


class VplmChanges(TypedDict, total=False):
    domain: str
    mode: str
    pinned: bool
    miss: str | None


class VplmRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, VPLMS, VplmRow)
        self._adapters = RowSet(connections, ADAPTERS, AdapterRow)
        self._versions = VersionRows(connections)

    def add(self, row: VplmRow, *, adapters: Sequence[AdapterRow] = (), source: str = "") -> None:
        """As `add_many`, one."""
        self.add_many([row], adapters=adapters, source=source)

    def add_many(
        self,
        rows: Iterable[VplmRow],
        *,
        adapters: Sequence[AdapterRow] = (),
        source: str = "",
    ) -> None:
        """All vPLMs with their first versions, and the adapters among `adapters` that are new, in
        one transaction, or none. `source` says what the vPLMs start from.

        Exists names the first vPLM that is there; NotFound the first tenant, domain or adapter
        that is not.
        """
        given = list(rows)
        with self._connections.writing() as db:
            self._adapters.insert(db, adapters, ignore=True)
            try:
                self._rows.insert(db, given)
                self._versions.enter(db, [_first(row, source) for row in given])
            except sqlite3.IntegrityError as error:
                raise _dangling(db, given) or error from None

    def get(self, vplm: str) -> VplmRow:
        """By its id, "tenant/name". NotFound."""
        return self._rows.get(_key(vplm))

    def all(self) -> Iterator[VplmRow]:
        """Every vPLM in order of id, a batch at a time; no transaction stays open meanwhile."""
        sql = f"(tenant, name) > (?, ?) order by tenant, name limit {_BATCH}"
        batch = self._rows.where(sql, ("", ""))
        while batch:
            yield from batch
            batch = self._rows.where(sql, (batch[-1].tenant, batch[-1].name))

    def page(
        self,
        q: str = "",
        tenant: str | None = None,
        sort: str | None = None,
        limit: int = 100,
        offset: int = 0,
        *,
        fuzzy: bool = False,
    ) -> tuple[list[VplmRow], int]:
        """vPLMs with `q` in their id, of one tenant or all, and how many there are.

        With `fuzzy`, where there is none, those that have the characters of `q` in that order.
        """
        filters = containing(_ID, q) + _of(tenant)
        if q and fuzzy and not self._rows.count(filters):
            filters = scattered(_ID, q) + _of(tenant)
        return self._rows.page(filters, sort, limit, offset)

    def change(self, vplm: str, **changes: Unpack[VplmChanges]) -> VplmRow:
        """NotFound, also for a domain that is not there."""
        with self._connections.writing() as db:
            try:
                return self._rows.change(db, _key(vplm), changes)
            except sqlite3.IntegrityError:
                raise DOMAINS.missing((str(changes.get("domain")),)) from None

    def remove(self, vplm: str) -> VplmRow:
        """What it was; its versions go, their adapters stay. NotFound."""
        with self._connections.writing() as db:
            row = self._rows.remove(db, _key(vplm))
            self._versions.forget(db, row.tenant, row.name)
            return row

    def publish(
        self,
        vplm: str,
        adapter: str,
        accuracy: float | None,
        *,
        adapters: Sequence[AdapterRow] = (),
        origin: str = "trained",
        source: str = "",
        keep: int = KEPT,
    ) -> VplmRow:
        """Point the vPLM at a new adapter and add one to its version, in one transaction.

        The newest `keep` versions are kept; what only an older one needed is used no more. Returns
        the row as published. NotFound if it was removed meanwhile, or if neither the catalogue nor
        `adapters` has the adapter; then nothing is changed.
        """
        with self._connections.writing() as db:
            row = self._rows.read(db, _key(vplm))
            self._adapters.insert(db, adapters, ignore=True)
            missing = absent(db, ADAPTERS, [adapter])
            if missing is not None:
                raise missing
            made = self._adapters.read(db, (adapter,))
            changes = {
                "adapter": adapter,
                "accuracy": accuracy,
                "version": row.version + 1,
                "rank": made.rank,
                "backbone": made.metadata.get("backbone_sha256", ""),
            }
            now = self._rows.change(db, _key(vplm), changes)
            version = VersionRow(
                now.tenant, now.name, now.version, adapter, accuracy, origin, source, time.time()
            )
            self._versions.enter(db, [version])
            self._versions.keep(db, now.tenant, now.name, keep)
            return now

    def count(
        self,
        tenant: str | None = None,
        *,
        domain: str | None = None,
        kind: str | None = None,
        backbone: str | None = None,
    ) -> int:
        wanted: list[Filter] = [] if domain is None else [("domain = ?", domain)]
        wanted += [] if kind is None else [("kind = ?", kind)]
        wanted += [] if backbone is None else [("backbone = ?", backbone)]
        return self._rows.count(_of(tenant) + wanted)

    def users_of(self, adapters: Sequence[str]) -> dict[str, list[str]]:
        """Ids of the vPLMs that answer with each of these adapters."""
        return ids_by_adapter(self._rows, adapters, "tenant, name")

    def pinned(self, adapter: str) -> bool:
        """Whether a vPLM that answers with an adapter is pinned, however many there are."""
        sql = "select exists (select 1 from vplms where adapter = ? and pinned)"
        return bool(self._connections.value(sql, [adapter]))

    def stored_bytes(self, tenant: str | None = None) -> int:
        """Bytes of the adapters (each once) of all that one tenant keeps, or all do: versions of
        vPLMs and starting points."""
        users, values = ("where tenant = ?", [tenant]) if tenant is not None else ("", [])
        sql = f"""
            select coalesce(sum(bytes), 0) from adapters
            where id in (select adapter from adapter_uses {users})
        """
        return int(self._connections.value(sql, values))


def _key(vplm: str) -> Key:
    tenant, slash, name = vplm.partition("/")
    if not slash:
        raise VPLMS.missing((vplm,))
    return tenant, name


def _first(row: VplmRow, source: str) -> VersionRow:
    return VersionRow(
        row.tenant,
        row.name,
        row.version,
        row.adapter,
        row.accuracy,
        "created",
        source,
        row.created_at,
    )


def _of(tenant: str | None) -> list[Filter]:
    return [] if tenant is None else [("tenant = ?", tenant)]


def _dangling(db: Database, rows: Sequence[VplmRow]) -> Exception | None:
    """What the first dangling reference of `rows` refers to."""
    return (
        absent(db, TENANTS, [row.tenant for row in rows])
        or absent(db, DOMAINS, [row.domain for row in rows])
        or absent(db, ADAPTERS, [row.adapter for row in rows])
    )
