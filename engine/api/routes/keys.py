"""API keys: a tenant's, and the operator's."""

from __future__ import annotations

from fastapi import APIRouter

from engine.api.seen import Engine
from engine.schema import KeyCreate, KeyCreated, KeyList

router = APIRouter(prefix="/v1", tags=["keys"])


@router.get("/keys", summary="List the operator's keys")
def keys(appliance: Engine) -> KeyList:
    return appliance.keys(None)


@router.post("/keys", status_code=201, summary="Make a key of the operator's; it is shown once")
def create_key(appliance: Engine, key: KeyCreate | None = None) -> KeyCreated:
    return appliance.create_key(None, key or KeyCreate())


@router.delete("/keys/{key}", status_code=204, summary="Revoke one; it opens nothing from now on")
def revoke_key(appliance: Engine, key: str) -> None:
    appliance.revoke_key(None, key)


@router.get("/tenants/{tenant}/keys", summary="List a tenant's keys")
def tenant_keys(appliance: Engine, tenant: str) -> KeyList:
    return appliance.keys(tenant)


@router.post(
    "/tenants/{tenant}/keys", status_code=201, summary="Make a key of a tenant's; it is shown once"
)
def create_tenant_key(appliance: Engine, tenant: str, key: KeyCreate | None = None) -> KeyCreated:
    return appliance.create_key(tenant, key or KeyCreate())


@router.delete(
    "/tenants/{tenant}/keys/{key}", status_code=204, summary="Revoke one of a tenant's keys"
)
def revoke_tenant_key(appliance: Engine, tenant: str, key: str) -> None:
    appliance.revoke_key(tenant, key)
