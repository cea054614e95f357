"""Calls about API keys, and about who used them for what."""

from __future__ import annotations

from collections.abc import Sequence

from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, query, reader, segment
from engine.schema import SCOPES, AuditPage, KeyCreated, KeyList, Scope


class KeyCalls:
    @Asks
    @staticmethod
    def keys(tenant: str | None = None) -> Call[KeyList]:
        """A tenant's, or with None the operator's."""
        return Call("GET", _of(tenant), reader(KeyList))

    @Asks
    @staticmethod
    def create_key(
        tenant: str | None = None,
        scopes: Sequence[Scope] = SCOPES,
        replaces: str | None = None,
        overlap_s: float = 0.0,
    ) -> Call[KeyCreated]:
        """The answer holds the key, which is never shown again. What it `replaces` (an id, or
        "all") goes on working for `overlap_s`."""
        fields = {"scopes": list(scopes), "replaces": replaces, "overlap_s": overlap_s}
        return Call("POST", _of(tenant), reader(KeyCreated), content=json_body(fields))

    @Asks
    @staticmethod
    def revoke_key(key: str, tenant: str | None = None) -> Call[None]:
        """By its id; it opens nothing from now on. NotFound."""
        return Call("DELETE", f"{_of(tenant)}/{segment(key)}", nothing)

    @Asks
    @staticmethod
    def audit(q: str = "", limit: int = 100, cursor: str | None = None) -> Call[AuditPage]:
        """Who changed what, the newest first."""
        return Call("GET", "/v1/audit", reader(AuditPage), query(q=q, limit=limit, cursor=cursor))


def _of(tenant: str | None) -> str:
    return "/v1/keys" if tenant is None else f"/v1/tenants/{segment(tenant)}/keys"
