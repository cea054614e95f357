"""A tenant's own account as its key sees it, and what tells its own things from others'."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from engine.api.access import no_such_route
from engine.api.port import Port
from engine.errors import Refused
from engine.schema import KeyCreate, KeyCreated, KeyList, Tenant, TenantPage
from store.tenant_rows import TENANTS
from store.vplm_rows import VPLMS

if TYPE_CHECKING:
    from engine.telemetry.events import EventLog


class TenantAccount:
    """What `tenant` has of `appliance`, for a key with `scopes`."""

    __slots__ = ("_appliance", "_prefix", "_scopes", "_tenant")

    def __init__(self, appliance: Port, tenant: str, scopes: frozenset[str]) -> None:
        self._appliance, self._tenant, self._scopes = appliance, tenant, scopes
        self._prefix = f"{tenant}/"

    def __getattr__(self, name: str) -> NoReturn:
        raise no_such_route()

    @property
    def events(self) -> EventLog:
        """To wake whoever follows a job; nothing of it is passed on."""
        return self._appliance.events

    def tenants(self, q: str, sort: str | None, limit: int, cursor: str | None) -> TenantPage:  # noqa: ARG002  the Port's
        found = [self.tenant(self._tenant)] if q.lower() in self._tenant and not cursor else []
        return TenantPage(data=found, total=len(found))

    def tenant(self, name: str) -> Tenant:
        self._check_tenant(name)
        return self._appliance.tenant(name)

    def keys(self, tenant: str | None) -> KeyList:
        self._check_tenant(tenant)
        return self._appliance.keys(tenant)

    def create_key(self, tenant: str | None, request: KeyCreate) -> KeyCreated:
        self._check_tenant(tenant)
        beyond = [scope for scope in request.scopes if scope not in self._scopes]
        if beyond:
            raise Refused(
                f"A key without the scope {beyond[0]} makes none that has it.",
                remedy=f"Leave {', '.join(beyond)} out, or use a key that has it.",
                code="scope_missing",
            )
        return self._appliance.create_key(tenant, request)

    def revoke_key(self, tenant: str | None, id: str) -> None:
        self._check_tenant(tenant)
        self._appliance.revoke_key(tenant, id)

    def _check_tenant(self, name: str | None) -> None:
        if name != self._tenant:
            raise TENANTS.missing((name or "",))

    def _check_vplm(self, id: str) -> None:
        if not id.startswith(self._prefix):
            raise VPLMS.missing((id,))
