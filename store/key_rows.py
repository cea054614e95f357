"""API keys in the catalogue: what opens the engine's door, of which only digests are kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from store.connections import Connections
from store.rows import KeyRow
from store.rowset import RowSet, absent
from store.tenant_rows import KEYS, TENANTS


def digest_of(secret: bytes, key: str) -> str:
    """What is kept of a key: a hash of it that only this catalogue's secret makes.

    A key is 256 random bits, which no guessing reaches; a slow hash would cost every call instead.
    """
    plain = hashlib.sha256(key.encode()).hexdigest()
    return hmac.digest(secret, plain.encode(), "sha256").hex()


class KeyRows:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._rows = RowSet(connections, KEYS, KeyRow)

    def secret(self) -> bytes:
        """The catalogue's own, made with it; it goes with every copy of the catalogue, so that a
        restored one knows its keys."""
        found = self._connections.value("select value from secrets where name = 'keys'")
        assert isinstance(found, bytes)
        return found

    def all(self) -> list[KeyRow]:
        """Oldest first."""
        return self._rows.where("true order by created_at, id")

    def of(self, tenant: str) -> list[KeyRow]:
        """A tenant's, or with "" the operator's; oldest first."""
        return self._rows.where("tenant = ? order by created_at, id", [tenant])

    def add(self, row: KeyRow, ends: Iterable[str] = (), at: float = 0.0) -> None:
        """Enter a key; those of the same holder with the ids `ends` stop working `at` that time,
        unless they stop sooner. What had stopped working when the key was made is forgotten.
        NotFound if the tenant is not there."""
        with self._connections.writing() as db:
            gone = absent(db, TENANTS, [row.tenant] if row.tenant else [])
            if gone is not None:
                raise gone
            db.execute("delete from keys where expires_at <= ?", [row.created_at])
            for old in ends:
                db.execute(
                    "update keys set expires_at = min(coalesce(expires_at, :at), :at) "
                    "where id = :id and tenant = :tenant",
                    {"at": at, "id": old, "tenant": row.tenant},
                )
            self._rows.insert(db, [row])

    def remove(self, tenant: str, id: str) -> KeyRow:
        """Of a tenant, or with "" of the operator. NotFound."""
        with self._connections.writing() as db:
            if self._rows.read(db, (id,)).tenant != tenant:
                raise KEYS.missing((id,))
            return self._rows.remove(db, (id,))
