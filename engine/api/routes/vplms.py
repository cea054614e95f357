"""vPLMs: the tenants' models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from engine.api.routes.paging import Page
from engine.api.seen import Engine
from engine.schema import (
    BulkCreated,
    Created,
    PromoteRequest,
    Published,
    PublishRequest,
    RollbackRequest,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmVersions,
)

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
def create_vplm(appliance: Engine, vplm: VplmCreate) -> Created:
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


@router.get("/v1/vplms/{tenant}/{name}/versions", summary="What it has published, newest first")
def versions(appliance: Engine, tenant: str, name: str) -> VplmVersions:
    return appliance.versions(f"{tenant}/{name}")


@router.post(
    "/v1/vplms/{tenant}/{name}/versions",
    status_code=201,
    summary="Publish an adapter of the store as its next version",
)
def publish_adapter(
    appliance: Engine, tenant: str, name: str, adapter: PublishRequest
) -> Published:
    return appliance.publish_adapter(f"{tenant}/{name}", adapter)


@router.post(
    "/v1/vplms/{tenant}/{name}/rollback", summary="Publish one of its earlier versions again"
)
def roll_back(appliance: Engine, tenant: str, name: str, rollback: RollbackRequest) -> Published:
    return appliance.roll_back(f"{tenant}/{name}", rollback)


@router.post(
    "/v1/vplms/{tenant}/{name}/promote",
    summary="Publish a version of it as the next of another of its tenant's",
)
def promote(appliance: Engine, tenant: str, name: str, promotion: PromoteRequest) -> Published:
    return appliance.promote(f"{tenant}/{name}", promotion)
