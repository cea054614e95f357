"""vPLMs: the tenants' models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from engine.api.port import Engine
from engine.api.routes.paging import Page
from engine.schema import BulkCreated, Vplm, VplmBulkCreate, VplmCreate, VplmPage, VplmPatch

router = APIRouter(tags=["vplms"])


@router.get("/v1/vplms", summary="List vPLMs")
def vplms(
    appliance: Engine,
    page: Page,
    tenant: Annotated[str | None, Query(description="Only this tenant's.")] = None,
    fuzzy: Annotated[
        bool, Query(description="Where no id contains q, those with its characters in order.")
    ] = False,
) -> VplmPage:
    return appliance.vplms(
        q=page.q,
        tenant=tenant,
        sort=page.sort,
        limit=page.limit,
        cursor=page.cursor,
        fuzzy=fuzzy,
    )


@router.post("/v1/vplms", status_code=201, summary="Create a vPLM")
def create_vplm(appliance: Engine, vplm: VplmCreate) -> Vplm:
    return appliance.create_vplm(vplm)


@router.post("/v1/vplms:bulk", status_code=201, summary="Create many, NAME-00001 and on")
def create_vplms(appliance: Engine, vplms: VplmBulkCreate) -> BulkCreated:
    return appliance.create_vplms(vplms)


@router.get("/v1/vplms/{tenant}/{name}", summary="One vPLM")
def vplm(appliance: Engine, tenant: str, name: str) -> Vplm:
    return appliance.vplm(f"{tenant}/{name}")


@router.patch(
    "/v1/vplms/{tenant}/{name}", summary="Pin it, move it, or change its mode or miss policy"
)
def change_vplm(appliance: Engine, tenant: str, name: str, patch: VplmPatch) -> Vplm:
    return appliance.change_vplm(f"{tenant}/{name}", patch)


@router.delete("/v1/vplms/{tenant}/{name}", status_code=204, summary="Remove it")
def remove_vplm(appliance: Engine, tenant: str, name: str) -> None:
    appliance.remove_vplm(f"{tenant}/{name}")
