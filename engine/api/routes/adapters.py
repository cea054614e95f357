"""The adapter store."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response

from engine.api.routes.paging import Page
from engine.api.seen import Engine
from engine.schema import Adapter, AdapterCheck, AdapterPage

router = APIRouter(prefix="/v1/adapters", tags=["adapters"])
hub = APIRouter(tags=["adapters"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("", summary="List adapters")
def adapters(
    appliance: Engine,
    page: Page,
    unused: Annotated[bool, Query(description="Only those that no vPLM uses.")] = False,
) -> AdapterPage:
    return appliance.adapters(
        q=page.q, sort=page.sort, limit=page.limit, cursor=page.cursor, unused=unused
    )


@router.post("", status_code=201, summary="Take an adapter's safetensors file", openapi_extra=_BODY)
async def import_adapter(appliance: Engine, request: Request) -> Adapter:
    taken: Adapter = await request.app.state.uploads.feed(request, appliance.import_adapter)
    return taken


@router.get("/{adapter}", summary="One adapter: tier, size and users")
def adapter(appliance: Engine, adapter: str) -> Adapter:
    return appliance.adapter(adapter)


@router.get("/{adapter}/file", summary="Its safetensors file", response_class=FileResponse)
def adapter_file(appliance: Engine, adapter: str) -> FileResponse:
    path = appliance.adapter_file(adapter)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.get(
    "/{adapter}/adapterhub",
    summary="A folder for AdapterHub's load_adapter, as a tar archive",
    response_class=Response,
)
def adapterhub_folder(appliance: Engine, adapter: str) -> Response:
    return Response(appliance.adapterhub_folder(adapter), media_type="application/x-tar")


@hub.post(
    "/v1/adapters:adapterhub",
    status_code=201,
    summary="Take a folder that AdapterHub's save_adapter wrote, as a tar archive",
    openapi_extra=_BODY,
)
async def import_adapterhub(
    appliance: Engine,
    request: Request,
    label: Annotated[
        list[str] | None, Query(description="A label of a head to be trained; once for each.")
    ] = None,
) -> Adapter:
    taken: Adapter = await request.app.state.uploads.feed(
        request, lambda chunks: appliance.import_adapterhub(chunks, label or [])
    )
    return taken


@router.post("/{adapter}/verify", summary="Read its file and hash it again")
def verify_adapter(appliance: Engine, adapter: str) -> AdapterCheck:
    return appliance.verify_adapter(adapter)


@router.delete("/{adapter}", status_code=204, summary="Remove it, unless a vPLM uses it")
def remove_adapter(appliance: Engine, adapter: str) -> None:
    appliance.remove_adapter(adapter)
