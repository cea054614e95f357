"""What the appliance answers about tenants."""

from __future__ import annotations

from engine.schema import (
    KeyRotate,
    Quota,
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantPage,
    TenantPatch,
)
from tests.engine.api.scripted.script import Script

TENANT = TenantCreated(
    name="acme", weight=1.0, quota=Quota(), vplms=1, stored_bytes=10, created_at=1.0, api_key="k"
)


class TenantAnswers(Script):
    def tenants(self, q: str, sort: str | None, limit: int, cursor: str | None) -> TenantPage:
        self._do("tenants", q, sort, limit, cursor)
        return TenantPage(data=[TENANT], total=1)

    def tenant(self, name: str) -> Tenant:
        self._do("tenant", name)
        return TENANT

    def create_tenant(self, request: TenantCreate) -> TenantCreated:
        self._do("create_tenant", request)
        return TENANT

    def change_tenant(self, name: str, patch: TenantPatch) -> Tenant:
        self._do("change_tenant", name, patch)
        return TENANT

    def remove_tenant(self, name: str) -> None:
        self._do("remove_tenant", name)

    def rotate_key(self, name: str, request: KeyRotate | None = None) -> TenantCreated:
        self._do("rotate_key", name, *([] if request is None else [request]))
        return TENANT
