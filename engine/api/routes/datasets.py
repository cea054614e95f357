"""Training data."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from engine.api.port import DatasetFormat, Engine
from engine.schema import DatasetReceipt, Task

router = APIRouter(tags=["datasets"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string"}}},
    }
}


@router.put(
    "/v1/tenants/{tenant}/datasets/{name}",
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
) -> DatasetReceipt:
    receipt: DatasetReceipt = await request.app.state.uploads.feed(
        request,
        lambda chunks: appliance.put_dataset(
            tenant, name, chunks, format, text, label, task, text_pair
        ),
    )
    return receipt
