"""What the engine in memory answers about tenants."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.client import Conflict
from engine.schema import Quota, Tenant, TenantCreated, TenantPage
from tests.hmi_tui.app.engine_documents import tenant
from tests.hmi_tui.app.scripted_engine.paging import paged
from tests.hmi_tui.app.scripted_engine.vplms import VplmAnswers


@dataclass
class TenantAnswers(VplmAnswers):
    """Removing a tenant removes its vPLMs."""

    tenant_rows: list[Tenant] = field(default_factory=list)

    async def tenants(
        self, q: str = "", limit: int = 100, cursor: str | None = None, sort: str | None = None
    ) -> TenantPage:
        self._answer()
        rows, total, following = paged(self.tenant_rows, "name", q, limit, cursor, sort)
        return TenantPage(data=rows, total=total, next_cursor=following)

    async def create_tenant(
        self, name: str, weight: float = 1.0, quota: Quota | None = None
    ) -> TenantCreated:
        self._answer("create_tenant", name, weight)
        if any(row.name == name for row in self.tenant_rows):
            raise Conflict(f'Tenant "{name}" exists already.', remedy="Choose another name.")
        made = tenant(name, weight=weight)
        self.tenant_rows.append(made)
        return TenantCreated(**made.model_dump(), api_key="hmi-secret-key")

    async def change_tenant(
        self, name: str, weight: float | None = None, quota: Quota | None = None
    ) -> Tenant:
        self._answer("change_tenant", name, weight, quota)
        return tenant(name)

    async def remove_tenant(self, name: str) -> None:
        self._answer("remove_tenant", name)
        self.tenant_rows = [row for row in self.tenant_rows if row.name != name]
        self.vplm_rows = [row for row in self.vplm_rows if row.tenant != name]

    async def rotate_key(self, name: str) -> TenantCreated:
        self._answer("rotate_key", name)
        return TenantCreated(**tenant(name).model_dump(), api_key="hmi-new-key")
