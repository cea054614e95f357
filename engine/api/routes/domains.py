"""The domain tree, its texts and its tables."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from engine.api.seen import Engine
from engine.schema import (
    CorpusReceipt,
    Domain,
    DomainCreate,
    DomainEpochs,
    DomainTree,
    DomainUpdate,
    JobAccepted,
    Kind,
    NgramPage,
    RebuildCost,
    RebuildRequest,
)

router = APIRouter(prefix="/v1/domains", tags=["domains"])

OfKind = Annotated[Kind, Query(description="Whose backbone it is looked up for.")]
_TEXT_BODY = {
    "requestBody": {
        "required": True,
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


@router.get("", summary="The tree, depth first")
def domains(appliance: Engine, kind: OfKind = "classifier") -> DomainTree:
    return appliance.domains(kind)


@router.post("", status_code=201, summary="Create a domain under a parent")
def create_domain(appliance: Engine, domain: DomainCreate) -> Domain:
    return appliance.create_domain(domain)


@router.get("/{domain}", summary="One domain")
def domain(appliance: Engine, domain: str, kind: OfKind = "classifier") -> Domain:
    return appliance.domain(domain, kind)


@router.patch("/{domain}", summary="Move it, or say when it learns from its traffic")
def change_domain(appliance: Engine, domain: str, update: DomainUpdate) -> Domain:
    return appliance.change_domain(domain, update)


@router.delete("/{domain}", status_code=204, summary="Remove it; its parent takes what it held")
def remove_domain(appliance: Engine, domain: str) -> None:
    appliance.remove_domain(domain)


@router.get("/{domain}/corpus", summary="How large its texts are, and their checksum")
def corpus(appliance: Engine, domain: str) -> CorpusReceipt:
    return appliance.corpus(domain)


@router.put(
    "/{domain}/corpus", summary="Its texts, a document a line, streamed", openapi_extra=_TEXT_BODY
)
async def put_corpus(appliance: Engine, domain: str, request: Request) -> CorpusReceipt:
    uploads = request.app.state.uploads
    receipt: CorpusReceipt = await uploads.feed(
        request, lambda chunks: appliance.put_corpus(domain, chunks)
    )
    return receipt


@router.post("/{domain}/rebuild", status_code=202, summary="Rebuild its table, as a job")
def rebuild_domain(
    appliance: Engine, domain: str, rebuild: RebuildRequest | None = None
) -> JobAccepted:
    return appliance.rebuild_domain(domain, rebuild or RebuildRequest())


@router.post("/{domain}/rebuild/cost", summary="What a rebuild would take, before it begins")
def rebuild_cost(
    appliance: Engine, domain: str, rebuild: RebuildRequest | None = None
) -> RebuildCost:
    return appliance.rebuild_cost(domain, rebuild or RebuildRequest())


@router.get("/{domain}/epochs", summary="Its epochs, the newest first, to compare them")
def epochs(appliance: Engine, domain: str, kind: OfKind = "classifier") -> DomainEpochs:
    return appliance.epochs(domain, kind)


@router.get(
    "/{domain}/encoder", summary="The safetensors file of its encoder", response_class=FileResponse
)
def encoder_file(appliance: Engine, domain: str, kind: OfKind = "classifier") -> FileResponse:
    path = appliance.encoder_file(domain, kind)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.get("/{domain}/ngrams", summary="Its most used entries, and where they come from")
def ngrams(
    appliance: Engine,
    domain: str,
    q: Annotated[str, Query(description="Part of the text.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    kind: OfKind = "classifier",
) -> NgramPage:
    return appliance.ngrams(domain, q=q, limit=limit, kind=kind)
