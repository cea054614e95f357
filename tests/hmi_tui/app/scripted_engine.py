"""An engine in memory: answers the client's calls with the API's documents and remembers them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from engine.client import (
    VERSION,
    AsyncClient,
    BadInput,
    Conflict,
    EngineNotRunning,
    HmiError,
    NotFound,
    Unavailable,
)
from engine.schema import (
    Adapter,
    AdapterCheck,
    AdapterPage,
    ClassifyResponse,
    CorpusReceipt,
    Cost,
    DatasetReceipt,
    DeviceStatus,
    Domain,
    DomainEpochs,
    Input,
    Job,
    JobAccepted,
    JobPage,
    LaneSpan,
    Mode,
    NgramEntry,
    NgramPage,
    Prediction,
    Problem,
    Published,
    QueueStatus,
    Quota,
    RebuildCost,
    RebuildRequest,
    Slot,
    SlotMap,
    SpanFeed,
    Status,
    Task,
    Tenant,
    TenantCreated,
    TenantPage,
    Timing,
    Trace,
    TrainRequest,
    Usage,
    Version,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmVersion,
    VplmVersions,
)
from tests.hmi_tui.app.engine_documents import (
    NOW,
    a_cost,
    a_spare_adapter,
    a_status,
    domain,
    job,
    sha,
    some_epochs,
    some_tokens,
    some_versions,
    tenant,
    vplm,
)
from tests.hmi_tui.app.span_documents import a_slot, no_slots

T = TypeVar("T", Tenant, Vplm, Adapter)


@dataclass
class ScriptedEngine:
    """State in plain lists; `down` makes every call fail as if nobody listened."""

    tenant_rows: list[Tenant] = field(default_factory=list)
    vplm_rows: list[Vplm] = field(default_factory=list)
    version_rows: list[VplmVersion] = field(default_factory=some_versions)
    domain_rows: list[Domain] = field(default_factory=list)
    job_rows: list[Job] = field(default_factory=list)
    spare_adapters: list[Adapter] = field(default_factory=list)
    """Those that no vPLM uses."""
    damaged: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    spans_told: list[LaneSpan] = field(default_factory=list)
    slot_map: SlotMap = field(default_factory=no_slots)
    device: DeviceStatus = field(
        default_factory=lambda: DeviceStatus(
            kind="cpu",
            name="CPU, 2 cores",
            note="No NVIDIA device; the CPU computes.",
        )
    )
    down: bool = False
    pid: int = 4242
    version_name: str = VERSION
    queue: QueueStatus | None = None
    unreadable: bool = False
    ready: bool = True
    reasons: list[str] = field(default_factory=list)
    failing: HmiError | None = None
    fallback: str | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    statuses: int = 0
    pages: int = 0

    @property
    def client(self) -> AsyncClient:
        return cast("AsyncClient", self)

    def called(self, name: str) -> list[tuple[Any, ...]]:
        return [call[1:] for call in self.calls if call[0] == name]

    def _answer(self, *call: Any) -> None:
        if self.down:
            raise EngineNotRunning("Nobody answers on engine.sock.", remedy="Start it: hmi serve.")
        if call:
            self.calls.append(call)
        if self.failing is not None:
            raise self.failing

    async def close(self) -> None:
        return None

    async def stop(self) -> None:
        self._answer("stop")
        self.down = True

    async def version(self) -> Version:
        self._answer()
        return Version(version=self.version_name)

    async def status(self) -> Status:
        self._answer()
        if self.unreadable:
            raise Unavailable("The answer cannot be read.", code="unreadable_answer")
        self.statuses += 1
        return a_status(
            self.statuses,
            engine={
                "pid": self.pid,
                "version": self.version_name,
                "ready": self.ready,
                "reasons": self.reasons,
            },
            **({} if self.queue is None else {"queue": self.queue}),
            device=self.device,
            tenants=len(self.tenant_rows),
            vplms=len(self.vplm_rows),
            domains=self.domain_rows,
            jobs=[one for one in self.job_rows if not one.ended],
            problems=self.problems,
        )

    async def spans(self, after: int | None = None, limit: int = 1024) -> SpanFeed:
        self._answer("spans", after, limit)
        fresh = self.spans_told[after or 0 :]
        ends = (span.start + span.seconds for span in self.spans_told)
        return SpanFeed(
            time=max(ends, default=NOW),
            last=len(self.spans_told),
            missed=max(0, len(fresh) - limit) if after is not None else 0,
            data=fresh[-limit:],
        )

    async def slots(self, first: int = 1, limit: int = 1024) -> SlotMap:
        self._answer()
        return self.slot_map

    async def slot(self, number: int) -> Slot:
        self._answer("slot", number)
        return a_slot(self.slot_map, number)

    async def trace(self, seconds: float = 30.0) -> Trace:
        self._answer("trace", seconds)
        return Trace(events=[])

    # -- tenants and vPLMs -----------------------------------------------------------------

    async def tenants(
        self, q: str = "", limit: int = 100, cursor: str | None = None, sort: str | None = None
    ) -> TenantPage:
        self._answer()
        rows, total, following = self._page(self.tenant_rows, "name", q, limit, cursor, sort)
        return TenantPage(data=rows, total=total, next_cursor=following)

    async def create_tenant(
        self, name: str, weight: float = 1.0, quota: Quota | None = None
    ) -> TenantCreated:
        self._answer("create_tenant", name, weight)
        if any(row.name == name for row in self.tenant_rows):
            raise Conflict(f'Tenant "{name}" exists already.', remedy="Choose another name.")
        made = tenant(name, weight=weight)
        self.tenant_rows.append(made)
        return TenantCreated(**made.model_dump(), api_key="hmi-secret-key")

    async def change_tenant(
        self, name: str, weight: float | None = None, quota: Quota | None = None
    ) -> Tenant:
        self._answer("change_tenant", name, weight, quota)
        return tenant(name)

    async def remove_tenant(self, name: str) -> None:
        self._answer("remove_tenant", name)
        self.tenant_rows = [row for row in self.tenant_rows if row.name != name]
        self.vplm_rows = [row for row in self.vplm_rows if row.tenant != name]

    async def rotate_key(self, name: str) -> TenantCreated:
        self._answer("rotate_key", name)
        return TenantCreated(**tenant(name).model_dump(), api_key="hmi-new-key")

    async def vplms(
        self,
        q: str = "",
        tenant: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        fuzzy: bool = False,
    ) -> VplmPage:
        self._answer()
        self.pages += 1
        mine = [row for row in self.vplm_rows if tenant in (None, row.tenant)]
        if fuzzy and not any(q in row.id for row in mine):
            pattern = re.compile(".*".join(map(re.escape, q)))
            mine, q = [row for row in mine if pattern.search(row.id)], ""
        rows, total, following = self._page(mine, "id", q, limit, cursor, sort)
        return VplmPage(data=rows, total=total, next_cursor=following)

    async def vplm(self, id: str) -> Vplm:
        self._answer()
        for row in self.vplm_rows:
            if row.id == id:
                return row
        raise NotFound(f'There is no vPLM "{id}".', remedy="hmi vplm ls lists them.")

    async def versions(self, id: str) -> VplmVersions:
        self._answer()
        return VplmVersions(vplm=id, data=self.version_rows, keeps=10)

    async def roll_back(self, id: str, version: int) -> Published:
        self._answer("roll_back", id, version)
        old = next(row for row in self.version_rows if row.version == version)
        made = old.model_copy(update={"version": 4, "origin": "rollback", "serving": True})
        before = [row.model_copy(update={"serving": False}) for row in self.version_rows]
        self.version_rows = [made, *before]
        return Published(**(await self.vplm(id)).model_dump() | {"version": 4})

    async def create_vplm(self, request: VplmCreate) -> Vplm:
        self._answer("create_vplm", request)
        made = vplm(request.tenant, request.name, domain=request.domain, labels=request.labels)
        self.vplm_rows.append(made)
        return made

    async def create_vplms(self, request: VplmBulkCreate) -> list[str]:
        self._answer("create_vplms", request)
        made = [
            vplm(request.tenant, f"{request.name}-{number:05d}")
            for number in range(1, request.count + 1)
        ]
        self.vplm_rows += made
        return [row.id for row in made]

    async def change_vplm(
        self,
        id: str,
        pin: bool | None = None,
        domain: str | None = None,
        mode: Mode | None = None,
        miss: str | None = None,
    ) -> Vplm:
        self._answer("change_vplm", id, pin, domain, mode, *([miss] if miss else []))
        changes: dict[str, Any] = {}
        if pin is not None:
            changes["pinned"] = pin
        if domain is not None:
            changes["domain"] = domain
        if mode is not None:
            changes["mode"] = mode
        self.vplm_rows = [
            row.model_copy(update=changes) if row.id == id else row for row in self.vplm_rows
        ]
        return await self.vplm(id)

    async def remove_vplm(self, id: str) -> None:
        self._answer("remove_vplm", id)
        self.vplm_rows = [row for row in self.vplm_rows if row.id != id]

    # -- domains ---------------------------------------------------------------------------

    async def create_domain(self, name: str, parent: str = "general") -> Domain:
        self._answer("create_domain", name, parent)
        made = domain(name, parent, 1, 0, entries=0, state="empty", hit_rate=None, corpus_bytes=0)
        self.domain_rows.append(made)
        return made

    async def put_corpus(self, name: str, data: Path) -> CorpusReceipt:
        self._answer("put_corpus", name, data)
        warnings = ["The corpus is tiny."]
        return CorpusReceipt(domain=name, lines=3, bytes=30, sha256=sha("c"), warnings=warnings)

    async def rebuild_domain(self, name: str, request: RebuildRequest | None = None) -> JobAccepted:
        self._answer("rebuild_domain", name, request)
        self.job_rows.insert(0, job("r1", name, "running", type="rebuild", loss=[], accuracy=[]))
        self.domain_rows = [
            row.model_copy(update={"state": "rebuilding"}) if row.name == name else row
            for row in self.domain_rows
        ]
        return JobAccepted(id="r1")

    async def change_domain(self, name: str, *changes: object) -> Domain:
        self._answer("change_domain", name, *changes)
        return next(row for row in self.domain_rows if row.name == name)

    async def rebuild_cost(self, name: str, request: RebuildRequest | None = None) -> RebuildCost:
        wanted = request or RebuildRequest()
        self._answer("rebuild_cost", name, wanted)
        return a_cost(name, train_seconds=60 * wanted.train_minutes)

    async def epochs(self, name: str) -> DomainEpochs:
        self._answer()
        known = any(row.name == name and row.epoch for row in self.domain_rows)
        return DomainEpochs(data=some_epochs() if known else [])

    async def ngrams(self, name: str, q: str = "", limit: int = 50) -> NgramPage:
        self._answer()
        words = ["of the film", "one of the", "the most", "a gorgeous ,", "it 's a", "in the end"]
        rows = [
            NgramEntry(text=text, ids=[1, 2, 3], count=900 - n, hits=4000 - 90 * n, source=name)
            for n, text in enumerate(words)
            if q in text
        ]
        known = any(row.name == name and row.epoch for row in self.domain_rows)
        return NgramPage(data=rows if known else [], total=len(rows) if known else 0)

    async def remove_domain(self, name: str) -> None:
        self._answer("remove_domain", name)
        self.domain_rows = [row for row in self.domain_rows if row.name != name]

    # -- adapters --------------------------------------------------------------------------

    async def adapters(
        self,
        q: str = "",
        limit: int = 100,
        cursor: str | None = None,
        sort: str | None = None,
        unused: bool = False,
    ) -> AdapterPage:
        self._answer()
        rows = [
            Adapter(
                id=row.adapter,
                bytes=row.stored_bytes,
                rank=row.rank,
                labels=len(row.labels),
                tier=row.tier,
                users=[row.id],
                created_by="random" if row.accuracy is None else "job-1",
                created_at=row.created_at,
            )
            for row in self.vplm_rows
        ]
        rows = self.spare_adapters if unused else rows + self.spare_adapters
        page, total, following = self._page(rows, "id", q, limit, cursor, sort)
        held = sum(row.bytes for row in rows)
        spare = sum(row.bytes for row in self.spare_adapters)
        return AdapterPage(
            data=page,
            total=total,
            bytes=held,
            next_cursor=following,
            unused=len(self.spare_adapters),
            unused_bytes=spare,
        )

    async def import_adapter(self, file: Path) -> Adapter:
        self._answer("import_adapter", file)
        self.spare_adapters.append(a_spare_adapter(file.name))
        return self.spare_adapters[-1]

    async def adapter_file(self, id: str) -> bytes:
        self._answer("adapter_file", id)
        return b"tensors"

    async def verify_adapter(self, id: str) -> AdapterCheck:
        self._answer("verify_adapter", id)
        bad = id in self.damaged
        return AdapterCheck(id=id, ok=not bad, detail="It does not match." if bad else "")

    async def remove_adapter(self, id: str) -> None:
        self._answer("remove_adapter", id)
        spare = [row for row in self.spare_adapters if row.id != id]
        if spare != self.spare_adapters:
            self.spare_adapters = spare
            return
        raise Conflict(f"Adapter {id[:12]} is in use.", remedy="Delete the vPLMs that use it.")

    # -- jobs ------------------------------------------------------------------------------

    async def put_dataset(
        self,
        tenant: str,
        name: str,
        path: Path,
        text: str = "text",
        label: str = "label",
        task: Task = "classify",
        text_pair: str = "text_pair",
    ) -> DatasetReceipt:
        more = () if (task, text_pair) == ("classify", "text_pair") else (task, text_pair)
        self._answer("put_dataset", tenant, name, path, text, label, *more)
        if "bad" in name:
            raise BadInput(f'Line 1 has no column "{text}".', remedy="Name it in Text column.")
        return DatasetReceipt(tenant=tenant, name=name, rows=2, labels={"a": 1, "b": 1}, bytes=9)

    async def train(self, request: TrainRequest) -> JobAccepted:
        self._answer("train", request)
        self.job_rows.insert(0, job("new", request.vplm, "running", accuracy=[]))
        return JobAccepted(id="new")

    async def jobs(
        self, limit: int = 100, cursor: str | None = None, state: str | None = None
    ) -> JobPage:
        self._answer()
        return JobPage(data=self.job_rows[:limit], total=len(self.job_rows))

    async def job(self, id: str) -> Job:
        self._answer()
        for row in self.job_rows:
            if row.id == id:
                return row
        raise NotFound(f"There is no job {id}.")

    async def cancel_job(self, id: str) -> Job:
        self._answer("cancel_job", id)
        self.end_job(id, "cancelled")
        return await self.job(id)

    def end_job(self, id: str, state: str, **more: Any) -> None:
        self.job_rows = [
            row.model_copy(update={"state": state, "progress": 1.0, "message": "", **more})
            if row.id == id
            else row
            for row in self.job_rows
        ]

    # -- answers ---------------------------------------------------------------------------

    async def classify(
        self, model: str, input: Input | list[str], mode: Mode | None = None, explain: bool = False
    ) -> ClassifyResponse:
        self._answer("classify", model, input, mode)
        asked = await self.vplm(model)
        if isinstance(input, str) and not input.strip():
            raise BadInput("input[0] is empty; give a text with at least one word")
        size = len(asked.labels)
        probs = [0.027] * size
        probs[-1] = 1 - 0.027 * (size - 1)
        plot = mode == "plot"
        return ClassifyResponse(
            id="c1",
            created=int(NOW),
            model=model,
            data=[
                Prediction(
                    index=0,
                    label=asked.labels[-1],
                    probs=probs,
                    num_classes=size,
                    truncated=isinstance(input, str) and len(input) > 1000,
                )
            ],
            labels=asked.labels,
            usage=Usage(prompt_tokens=9),
            tokens=[[] if self.fallback else some_tokens()] if explain else None,
            timing=Timing(
                queue_s=0.0004,
                retrieve_s=0.0012 if plot else 0.0081,
                load_s=0.0006,
                compute_s=0.0072,
                hit_rate=0.71 if plot else None,
                batch_size=3,
                batch_models=2,
                tier="host" if plot else "device",
                mode=mode or "plot",
                fallback=self.fallback if plot else None,
            ),
        )

    # -- paging ----------------------------------------------------------------------------

    def _page(
        self,
        rows: Sequence[T],
        name: str,
        q: str,
        limit: int,
        cursor: str | None,
        sort: str | None,
    ) -> tuple[list[T], int, str | None]:
        found = [row for row in rows if q in getattr(row, name)]
        if sort:
            key = sort.lstrip("-")
            found.sort(key=lambda row: _figure(row, key), reverse=sort.startswith("-"))
        start = int(cursor or 0)
        following = start + limit
        return (
            found[start:following],
            len(found),
            str(following) if following < len(found) else None,
        )


def _figure(row: object, key: str) -> tuple[bool, Any]:
    """What a row is sorted by; what it lacks comes before all that there is."""
    value = getattr(row, key)
    if isinstance(value, Cost):
        value = value.total
    return value is not None, value if value is not None else 0
