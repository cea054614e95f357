"""Tenants and their keys."""

from __future__ import annotations

from fastapi import APIRouter

from engine.api.routes.paging import Page
from engine.api.seen import Engine
from engine.schema import KeyRotate, Tenant, TenantCreate, TenantCreated, TenantPage, TenantPatch

router = APIRouter(prefix="/v1/tenants", tags=["tenants"])


@router.get("", summary="List tenants")
def tenants(appliance: Engine, page: Page) -> TenantPage:
    return appliance.tenants(q=page.q, sort=page.sort, limit=page.limit, cursor=page.cursor)


@router.post("", status_code=201, summary="Create a tenant; the answer shows its key, once")
def create_tenant(appliance: Engine, tenant: TenantCreate) -> TenantCreated:
    return appliance.create_tenant(tenant)


@router.get("/{tenant}", summary="One tenant")
def tenant(appliance: Engine, tenant: str) -> Tenant:
    return appliance.tenant(tenant)


@router.patch("/{tenant}", summary="Change its weight or quota")
def change_tenant(appliance: Engine, tenant: str, patch: TenantPatch) -> Tenant:
    return appliance.change_tenant(tenant, patch)


@router.delete("/{tenant}", status_code=204, summary="Remove it with its vPLMs and datasets")
def remove_tenant(appliance: Engine, tenant: str) -> None:
    appliance.remove_tenant(tenant)


@router.post("/{tenant}/key", summary="Make a key in place of all that it has; it is shown once")
def rotate_key(appliance: Engine, tenant: str, rotation: KeyRotate | None = None) -> TenantCreated:
    return appliance.rotate_key(tenant, rotation)
