"""Every call of the API, one function each, named as the client's methods are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from engine._client import uploads
from engine._client.call import (
    Call,
    Stream,
    json_body,
    nothing,
    query,
    reader,
    segment,
    vplm_path,
)
from engine.schema import (
    Adapter,
    AdapterCheck,
    AdapterPage,
    BulkCreated,
    ClassifyResponse,
    CorpusReceipt,
    DatasetReceipt,
    Domain,
    DomainEpochs,
    DomainTree,
    Event,
    Job,
    JobAccepted,
    JobPage,
    ModelList,
    NgramPage,
    Quota,
    RebuildCost,
    RebuildRequest,
    Slot,
    SlotMap,
    SpanFeed,
    Status,
    Tenant,
    TenantCreated,
    TenantPage,
    Trace,
    TrainRequest,
    Version,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
)

# -- the engine ------------------------------------------------------------------------------


def livez() -> Call[bool]:
    return Call("GET", "/livez", lambda _: True)


def readyz() -> Call[tuple[bool, list[str]]]:
    return Call("GET", "/readyz", _readiness, accept=(503,))


def _readiness(body: bytes) -> tuple[bool, list[str]]:
    answer = json.loads(body)
    return bool(answer["ready"]), [str(reason) for reason in answer["reasons"]]


def version() -> Call[Version]:
    return Call("GET", "/v1/version", reader(Version))


def status() -> Call[Status]:
    return Call("GET", "/v1/status", reader(Status))


def metrics() -> Call[str]:
    return Call("GET", "/metrics", bytes.decode)


def trace(seconds: float = 30.0) -> Call[Trace]:
    return Call("GET", "/v1/trace", reader(Trace), query(seconds=seconds))


def spans(after: int | None = None, limit: int = 1024) -> Call[SpanFeed]:
    return Call("GET", "/v1/spans", reader(SpanFeed), query(after=after, limit=limit))


def slots(first: int = 1, limit: int = 1024) -> Call[SlotMap]:
    return Call("GET", "/v1/slots", reader(SlotMap), query(first=first, limit=limit))


def slot(number: int) -> Call[Slot]:
    return Call("GET", f"/v1/slots/{number}", reader(Slot))


def stop() -> Call[None]:
    return Call("POST", "/v1/stop", nothing)


def events(last_id: int | None = None) -> Stream[Event]:
    return Stream("/v1/events", Event.model_validate_json, last_id)


# -- tenants ---------------------------------------------------------------------------------


def tenants(
    q: str = "", limit: int = 100, cursor: str | None = None, sort: str | None = None
) -> Call[TenantPage]:
    params = query(q=q, limit=limit, cursor=cursor, sort=sort)
    return Call("GET", "/v1/tenants", reader(TenantPage), params)


def tenant(name: str) -> Call[Tenant]:
    return Call("GET", f"/v1/tenants/{segment(name)}", reader(Tenant))


def create_tenant(
    name: str, weight: float = 1.0, quota: Quota | None = None
) -> Call[TenantCreated]:
    body = json_body({"name": name, "weight": weight, "quota": quota and quota.model_dump()})
    return Call("POST", "/v1/tenants", reader(TenantCreated), content=body)


def change_tenant(
    name: str, weight: float | None = None, quota: Quota | None = None
) -> Call[Tenant]:
    body = json_body({"weight": weight, "quota": quota and quota.model_dump()})
    return Call("PATCH", f"/v1/tenants/{segment(name)}", reader(Tenant), content=body)


def remove_tenant(name: str) -> Call[None]:
    return Call("DELETE", f"/v1/tenants/{segment(name)}", nothing, slow=True)


def rotate_key(name: str) -> Call[TenantCreated]:
    return Call("POST", f"/v1/tenants/{segment(name)}/key", reader(TenantCreated))


# -- domains ---------------------------------------------------------------------------------


def domains() -> Call[DomainTree]:
    return Call("GET", "/v1/domains", reader(DomainTree))


def domain(name: str) -> Call[Domain]:
    return Call("GET", f"/v1/domains/{segment(name)}", reader(Domain))


def create_domain(name: str, parent: str = "general") -> Call[Domain]:
    body = json_body({"name": name, "parent": parent})
    return Call("POST", "/v1/domains", reader(Domain), content=body)


def change_domain(
    name: str,
    parent: str | None = None,
    update: str | None = None,
    miss_rate: float | None = None,
    min_lookups: int | None = None,
    cooldown_s: float | None = None,
) -> Call[Domain]:
    policy = {"update": update, "miss_rate": miss_rate, "min_lookups": min_lookups}
    body = json_body({"parent": parent, **policy, "cooldown_s": cooldown_s})
    return Call("PATCH", f"/v1/domains/{segment(name)}", reader(Domain), content=body)


def put_corpus(name: str, data: uploads.Texts) -> Call[CorpusReceipt]:
    return Call(
        "PUT",
        f"/v1/domains/{segment(name)}/corpus",
        reader(CorpusReceipt),
        chunks=uploads.corpus(data),
        content_type="text/plain; charset=utf-8",
        slow=True,
        amend=lambda error: uploads.in_its_file(error, data),
    )


def rebuild_domain(name: str, request: RebuildRequest | None = None) -> Call[JobAccepted]:
    body = json_body((request or RebuildRequest()).model_dump())
    return Call("POST", f"/v1/domains/{segment(name)}/rebuild", reader(JobAccepted), content=body)


def rebuild_cost(name: str, request: RebuildRequest | None = None) -> Call[RebuildCost]:
    body = json_body((request or RebuildRequest()).model_dump())
    path = f"/v1/domains/{segment(name)}/rebuild/cost"
    return Call("POST", path, reader(RebuildCost), content=body, asks=True)


def epochs(name: str) -> Call[DomainEpochs]:
    return Call("GET", f"/v1/domains/{segment(name)}/epochs", reader(DomainEpochs))


def ngrams(name: str, q: str = "", limit: int = 50) -> Call[NgramPage]:
    params = query(q=q, limit=limit)
    return Call("GET", f"/v1/domains/{segment(name)}/ngrams", reader(NgramPage), params)


def encoder_file(name: str) -> Call[bytes]:
    return Call("GET", f"/v1/domains/{segment(name)}/encoder", bytes)


def remove_domain(name: str) -> Call[None]:
    return Call("DELETE", f"/v1/domains/{segment(name)}", nothing, slow=True)


# -- vPLMs -----------------------------------------------------------------------------------


def vplms(
    q: str = "",
    tenant: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    sort: str | None = None,
    fuzzy: bool = False,
) -> Call[VplmPage]:
    loosely = "true" if fuzzy else None
    params = query(q=q, tenant=tenant, limit=limit, cursor=cursor, sort=sort, fuzzy=loosely)
    return Call("GET", "/v1/vplms", reader(VplmPage), params)


def vplm(id: str) -> Call[Vplm]:
    return Call("GET", vplm_path(id), reader(Vplm))


def create_vplm(request: VplmCreate) -> Call[Vplm]:
    return Call("POST", "/v1/vplms", reader(Vplm), content=json_body(request))


def create_vplms(request: VplmBulkCreate) -> Call[list[str]]:
    body = json_body(request)
    return Call("POST", "/v1/vplms:bulk", _created, content=body, slow=True)


def _created(body: bytes) -> list[str]:
    return BulkCreated.model_validate_json(body).created


def change_vplm(
    id: str,
    pin: bool | None = None,
    domain: str | None = None,
    mode: str | None = None,
    miss: str | None = None,
) -> Call[Vplm]:
    changes: dict[str, object] = {"pin": pin, "domain": domain, "mode": mode, "miss": miss}
    given = {name: value for name, value in changes.items() if value is not None}
    if miss == "engine":
        # That the vPLM has no policy of its own is said with null, which json_body would leave out.
        given["miss"] = None
    return Call("PATCH", vplm_path(id), reader(Vplm), content=json.dumps(given).encode())


def remove_vplm(id: str) -> Call[None]:
    return Call("DELETE", vplm_path(id), nothing)


# -- adapters --------------------------------------------------------------------------------


def adapters(
    q: str = "",
    limit: int = 100,
    cursor: str | None = None,
    sort: str | None = None,
    unused: bool = False,
) -> Call[AdapterPage]:
    params = query(q=q, limit=limit, cursor=cursor, sort=sort, unused="true" if unused else None)
    return Call("GET", "/v1/adapters", reader(AdapterPage), params)


def adapter(id: str) -> Call[Adapter]:
    return Call("GET", f"/v1/adapters/{segment(id)}", reader(Adapter))


def import_adapter(file: Path | bytes) -> Call[Adapter]:
    chunks = [file] if isinstance(file, bytes) else uploads.file_chunks(file)
    return Call(
        "POST",
        "/v1/adapters",
        reader(Adapter),
        chunks=chunks,
        content_type="application/octet-stream",
        slow=True,
    )


def adapter_file(id: str) -> Call[bytes]:
    return Call("GET", f"/v1/adapters/{segment(id)}/file", bytes)


def verify_adapter(id: str) -> Call[AdapterCheck]:
    path = f"/v1/adapters/{segment(id)}/verify"
    return Call("POST", path, reader(AdapterCheck), asks=True)


def remove_adapter(id: str) -> Call[None]:
    return Call("DELETE", f"/v1/adapters/{segment(id)}", nothing)


# -- datasets and jobs -----------------------------------------------------------------------


def put_dataset(
    tenant: str, name: str, path: Path, text: str = "text", label: str = "label"
) -> Call[DatasetReceipt]:
    return Call(
        "PUT",
        f"/v1/tenants/{segment(tenant)}/datasets/{segment(name)}",
        reader(DatasetReceipt),
        query(format=uploads.dataset_format(path), text=text, label=label),
        chunks=uploads.file_chunks(path),
        content_type="application/octet-stream",
        slow=True,
    )


def train(request: TrainRequest) -> Call[JobAccepted]:
    return Call("POST", "/v1/jobs", reader(JobAccepted), content=json_body(request))


def jobs(limit: int = 100, cursor: str | None = None, state: str | None = None) -> Call[JobPage]:
    params = query(limit=limit, cursor=cursor, state=state)
    return Call("GET", "/v1/jobs", reader(JobPage), params)


def job(id: str) -> Call[Job]:
    return Call("GET", f"/v1/jobs/{segment(id)}", reader(Job))


def cancel_job(id: str) -> Call[Job]:
    return Call("DELETE", f"/v1/jobs/{segment(id)}", reader(Job))


def job_events(id: str) -> Stream[Job]:
    return Stream(f"/v1/jobs/{segment(id)}/events", Job.model_validate_json)


# -- inference -------------------------------------------------------------------------------


def classify(
    model: str, input: str | Iterable[str], mode: str | None = None, explain: bool = False
) -> Call[ClassifyResponse]:
    texts = input if isinstance(input, str) else list(input)
    asked = {"model": model, "input": texts, "mode": mode, "explain": explain or None}
    body = json_body(asked)
    return Call("POST", "/v1/classify", reader(ClassifyResponse), content=body, asks=True)


def models() -> Call[ModelList]:
    return Call("GET", "/v1/models", reader(ModelList))
