"""The adapter store."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import FileResponse

from engine.api.port import Engine
from engine.api.routes.paging import Page
from engine.schema import Adapter, AdapterPage

router = APIRouter(prefix="/v1/adapters", tags=["adapters"])


@router.get("", summary="List adapters")
def adapters(appliance: Engine, page: Page) -> AdapterPage:
    return appliance.adapters(q=page.q, sort=page.sort, limit=page.limit, cursor=page.cursor)


@router.get("/{adapter}", summary="One adapter: tier, size and users")
def adapter(appliance: Engine, adapter: str) -> Adapter:
    return appliance.adapter(adapter)


@router.get("/{adapter}/file", summary="Its safetensors file", response_class=FileResponse)
def adapter_file(appliance: Engine, adapter: str) -> FileResponse:
    path = appliance.adapter_file(adapter)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.delete("/{adapter}", status_code=204, summary="Remove it, unless a vPLM uses it")
def remove_adapter(appliance: Engine, adapter: str) -> None:
    appliance.remove_adapter(adapter)
