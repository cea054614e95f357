"""Training data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError

from engine.api.port import DatasetFormat
from engine.api.routes.paging import Page
from engine.api.seen import Engine
from engine.errors import BadInput
from engine.schema import Dataset, DatasetPage, Task

router = APIRouter(prefix="/v1/tenants/{tenant}/datasets", tags=["datasets"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}

_NAMES = TypeAdapter(dict[str, str])


@router.get("", summary="List a tenant's datasets")
def datasets(appliance: Engine, tenant: str, page: Page) -> DatasetPage:
    return appliance.datasets(
        tenant, q=page.q, sort=page.sort, limit=page.limit, cursor=page.cursor
    )


@router.get("/{name}", summary="One dataset: labels, repeated and contradicting rows, sha256")
def dataset(appliance: Engine, tenant: str, name: str) -> Dataset:
    return appliance.dataset(tenant, name)


@router.put(
    "/{name}",
    summary="Labelled texts as JSONL or CSV, streamed and checked row by row",
    openapi_extra=_BODY,
)
async def put_dataset(
    appliance: Engine,
    tenant: str,
    name: str,
    request: Request,
    format: Annotated[DatasetFormat, Query(description="How the body is written.")] = "jsonl",
    text: Annotated[str, Query(description="The column of the texts.")] = "text",
    label: Annotated[str, Query(description="The column of the labels, or numbers.")] = "label",
    task: Annotated[Task, Query(description="What the rows are to teach.")] = "classify",
    text_pair: Annotated[str, Query(description="The column of second texts.")] = "text_pair",
    map: Annotated[
        str | None,
        Query(description='Labels to be called otherwise, as JSON: {"0": "negative"}.'),
    ] = None,
) -> Dataset:
    names = _names(map)
    taken: Dataset = await request.app.state.uploads.feed(
        request,
        lambda chunks: appliance.put_dataset(
            tenant, name, chunks, format, text, label, task, text_pair, names
        ),
    )
    return taken


@router.delete("/{name}", status_code=204, summary="Remove it, unless a training needs it")
def remove_dataset(appliance: Engine, tenant: str, name: str) -> None:
    appliance.remove_dataset(tenant, name)


def _names(map: str | None) -> dict[str, str]:
    try:
        return {} if map is None else _NAMES.validate_json(map)
    except ValidationError:
        raise BadInput(
            f"map is {map!r}, which is not JSON of labels and their names.",
            remedy='Write {"old": "new"}.',
            code="bad_map",
        ) from None
