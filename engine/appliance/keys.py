"""Calls about API keys: the tenants' and the operator's."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable

from engine.appliance.calls import Calls
from engine.caller import Caller
from engine.errors import Conflict
from engine.schema import Key, KeyCreate, KeyCreated, KeyList, Scope
from store.rows import KeyRow
from store.tenant_rows import KEYS

_MOST = 100
"""Keys of one holder; who needs more has lost count of who has them."""


class KeyCalls(Calls):
    def caller(self, key: str, peer: str) -> Caller | None:
        """Who calls from `peer` with that API key; None if it opens nothing."""
        return self._core.keys.caller(key, peer)

    @property
    def has_keys(self) -> bool:
        """Whether any key opens anything."""
        return not self._core.keys.empty

    def count_call(self, tenant: str) -> None:
        """A tenant makes a call that asks no vPLM. QuotaExceeded if it calls too often."""
        self._core.admission.count(tenant)

    def keys(self, tenant: str | None) -> KeyList:
        """A tenant's, or with None the operator's, oldest first. NotFound."""
        core = self._core
        if tenant is not None:
            core.catalogue.tenants.get(tenant)
        return KeyList(data=[self._key(row) for row in core.catalogue.keys.of(tenant or "")])

    def create_key(self, tenant: str | None, request: KeyCreate) -> KeyCreated:
        """A new key, whose text is in the answer and nowhere else. NotFound; Conflict if the
        holder has too many."""
        core, now = self._core, time.time()
        with core.changing:
            rows = core.catalogue.keys.of(tenant or "")
            held = [row.id for row in rows if row.expires_at is None or row.expires_at > now]
            ends = held if request.replaces == "all" else []
            if request.replaces not in (None, "all"):
                if request.replaces not in held:
                    raise KEYS.missing((str(request.replaces),))
                ends = [str(request.replaces)]
            if len(held) >= _MOST and not ends:
                raise Conflict(
                    f"There are {len(held)} keys already, the most that one holder may have.",
                    remedy="Revoke those that nobody uses (hmi tenant key NAME --revoke ID).",
                    code="too_many_keys",
                )
            row, key = self._new_key(tenant or "", request.scopes, now)
            core.catalogue.keys.add(row, ends, now + request.overlap_s)
            core.keys.follow()
        return KeyCreated(**self._key(row).model_dump(), api_key=key)

    def revoke_key(self, tenant: str | None, id: str) -> None:
        """It opens nothing from now on. NotFound."""
        core = self._core
        with core.changing:
            core.catalogue.keys.remove(tenant or "", id)
            core.keys.follow()

    def _new_key(self, tenant: str, scopes: Iterable[Scope], now: float) -> tuple[KeyRow, str]:
        """A key to show once, and what is kept of it."""
        beginning = f"hmi-{secrets.token_hex(6)}"
        key = f"{beginning}-{secrets.token_urlsafe(32)}"
        row = KeyRow(beginning, tenant, self._core.keys.digest(key), tuple(scopes), now)
        return row, key

    def _key(self, row: KeyRow) -> Key:
        return Key.model_validate(
            {
                "id": row.id,
                "tenant": row.tenant or None,
                "scopes": row.scopes,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "last_used": self._core.keys.last_used(row.id),
            }
        )
