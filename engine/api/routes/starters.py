"""Starting points: published adapters that a vPLM may begin with."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from engine.api.routes.paging import Page
from engine.api.seen import Engine
from engine.schema import Starter, StarterPage, StarterPublish

router = APIRouter(prefix="/v1/starters", tags=["starters"])

Seen = Annotated[
    str | None, Query(description="Only what this tenant may start from: the operator's, its own.")
]


@router.get("", summary="List starting points")
def starters(appliance: Engine, page: Page, tenant: Seen = None) -> StarterPage:
    return appliance.starters(
        q=page.q, tenant=tenant, sort=page.sort, limit=page.limit, cursor=page.cursor
    )


@router.post("", status_code=201, summary="Publish a version of a vPLM as a starting point")
def publish_starter(appliance: Engine, starter: StarterPublish) -> Starter:
    return appliance.publish_starter(starter)


@router.get("/{name}", summary="One of the operator's: name, or name:version")
def starter(appliance: Engine, name: str) -> Starter:
    return appliance.starter(name, None)


@router.get("/{owner}/{name}", summary="One of a tenant's: name, or name:version")
def tenants_starter(appliance: Engine, owner: str, name: str) -> Starter:
    return appliance.starter(f"{owner}/{name}", None)


@router.delete("/{name}", status_code=204, summary="Remove one of the operator's")
def remove_starter(appliance: Engine, name: str) -> None:
    appliance.remove_starter(name)


@router.delete("/{owner}/{name}", status_code=204, summary="Remove one of a tenant's")
def remove_tenants_starter(appliance: Engine, owner: str, name: str) -> None:
    appliance.remove_starter(f"{owner}/{name}")
