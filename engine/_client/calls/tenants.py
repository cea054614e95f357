"""Calls about tenants and their keys."""

from __future__ import annotations

from engine._client.ask import Asks
from engine._client.call import Call, json_body, nothing, query, reader, segment
from engine.schema import Quota, Tenant, TenantCreated, TenantPage


class TenantCalls:
    @Asks
    @staticmethod
    def tenants(
        q: str = "", limit: int = 100, cursor: str | None = None, sort: str | None = None
    ) -> Call[TenantPage]:
        params = query(q=q, limit=limit, cursor=cursor, sort=sort)
        return Call("GET", "/v1/tenants", reader(TenantPage), params)

    @Asks
    @staticmethod
    def tenant(name: str) -> Call[Tenant]:
        return Call("GET", f"/v1/tenants/{segment(name)}", reader(Tenant))

    @Asks
    @staticmethod
    def create_tenant(
        name: str, weight: float = 1.0, quota: Quota | None = None
    ) -> Call[TenantCreated]:
        """The answer holds the key, which is never shown again."""
        body = json_body({"name": name, "weight": weight, "quota": quota and quota.model_dump()})
        return Call("POST", "/v1/tenants", reader(TenantCreated), content=body)

    @Asks
    @staticmethod
    def change_tenant(
        name: str, weight: float | None = None, quota: Quota | None = None
    ) -> Call[Tenant]:
        """None leaves a value as it is."""
        body = json_body({"weight": weight, "quota": quota and quota.model_dump()})
        return Call("PATCH", f"/v1/tenants/{segment(name)}", reader(Tenant), content=body)

    @Asks
    @staticmethod
    def remove_tenant(name: str) -> Call[None]:
        """Removes its vPLMs and datasets as well."""
        return Call("DELETE", f"/v1/tenants/{segment(name)}", nothing, slow=True)

    @Asks
    @staticmethod
    def rotate_key(name: str) -> Call[TenantCreated]:
        """A new key in place of all that it has; they stop working at once."""
        return Call("POST", f"/v1/tenants/{segment(name)}/key", reader(TenantCreated))
