"""An appliance that answers as it is told to, so that the API is tested without a model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.schema import (
    Adapter,
    AdapterCheck,
    AdapterPage,
    Backbone,
    BackboneImport,
    BackboneList,
    BulkCreated,
    ClassifyRequest,
    ClassifyResponse,
    Collected,
    Completion,
    CompletionChoice,
    CompletionChunk,
    CompletionRequest,
    CorpusReceipt,
    Created,
    Dataset,
    DatasetPage,
    DeviceStatus,
    Domain,
    DomainCreate,
    DomainEpoch,
    DomainEpochs,
    DomainTree,
    DomainUpdate,
    Embedding,
    EmbeddingsRequest,
    EmbeddingsResponse,
    EngineStatus,
    HostStatus,
    Job,
    JobAccepted,
    JobPage,
    LaneSpan,
    ModelCard,
    ModelList,
    NgramEntry,
    NgramPage,
    Numbers,
    Prediction,
    PredictRequest,
    PredictResponse,
    PromoteRequest,
    Published,
    PublishRequest,
    QueueStatus,
    Quota,
    RebuildCost,
    RebuildRequest,
    RollbackRequest,
    Slot,
    SlotMap,
    Span,
    SpanFeed,
    Starter,
    StarterPage,
    StarterPublish,
    Status,
    Stock,
    Storage,
    TaggedText,
    TagRequest,
    TagResponse,
    Task,
    Tenant,
    TenantCreate,
    TenantCreated,
    TenantPage,
    TenantPatch,
    TierStatus,
    Timing,
    TraceEvent,
    TrainRequest,
    Usage,
    Vplm,
    VplmBulkCreate,
    VplmCreate,
    VplmPage,
    VplmPatch,
    VplmVersion,
    VplmVersions,
)
from engine.schema.completions import CompletionUsage
from engine.telemetry.events import EventLog
from engine.telemetry.metrics import Metrics

TENANT = TenantCreated(
    name="acme", weight=1.0, quota=Quota(), vplms=1, stored_bytes=10, created_at=1.0, api_key="k"
)
DOMAIN = Domain(
    name="reviews",
    parent="general",
    depth=1,
    epoch=2,
    entries=3,
    bytes=4,
    view_entries=5,
    hits=6,
    misses=7,
    hit_rate=0.5,
    corpus_bytes=8,
    corpus_lines=9,
    encoder="inherited",
    state="ready",
    vplms=1,
    created_at=1.0,
)
COST = RebuildCost(
    domain="reviews",
    epoch=3,
    tokens=100,
    lookups=0,
    entries=50,
    bytes=5000,
    seconds=1.5,
    train_seconds=0.0,
    disk_free_bytes=1 << 30,
)
EPOCH = DomainEpoch(
    epoch=2,
    entries=3,
    bytes=4,
    alpha=0.5,
    coverage=0.6,
    encoder="inherited",
    seconds=1.0,
    hits=6,
    lookups=13,
    hit_rate=6 / 13,
    published_at=1.0,
    replaced_at=None,
)
VPLM = Vplm(
    id="acme/polarity",
    tenant="acme",
    name="polarity",
    kind="classifier",
    domain="reviews",
    labels=["negative", "positive"],
    mode="plot",
    rank=64,
    adapter="ab",
    version=1,
    tier="host",
    pinned=False,
    stored_bytes=10,
    dedicated_bytes=100,
    accuracy=None,
    requests=0,
    created_at=1.0,
)
CREATED = Created(**VPLM.model_dump(), started_from="random", head="random")
PUBLISHED = Published(**VPLM.model_dump(), note="as it was")
VERSIONS = VplmVersions(
    vplm="acme/polarity",
    data=[
        VplmVersion(
            version=1,
            adapter="ab",
            rank=64,
            bytes=10,
            accuracy=None,
            origin="created",
            source="random",
            domain="reviews",
            published_at=1.0,
            serving=True,
        )
    ],
    keeps=10,
)
STARTER = Starter(
    id="polarity:1",
    owner=None,
    name="polarity",
    version=1,
    adapter="ab",
    labels=["negative", "positive"],
    domain="reviews",
    mode="plot",
    accuracy=0.9,
    task="is it praise",
    data="",
    note="",
    source="acme/polarity:1",
    published_at=1.0,
)
BACKBONE = Backbone(
    id="small:1",
    name="small",
    version=1,
    origin="imported",
    family="bert",
    sha256="cd",
    layers=4,
    split=2,
    hidden=32,
    bytes=10,
    folder="/x",
    serving=False,
    vplms=0,
    domains=[],
)
ADAPTER = Adapter(
    id="ab",
    bytes=10,
    rank=64,
    labels=2,
    tier="host",
    users=["acme/polarity"],
    created_by="random",
    created_at=1.0,
)
JOB = Job(
    id="j1",
    type="train",
    subject="acme/polarity",
    state="running",
    progress=0.5,
    eta_s=1.0,
    message="training",
    params={},
    loss=[],
    accuracy=[],
    error=None,
    result={},
    created_at=1.0,
    started_at=1.0,
    finished_at=None,
)
STATUS = Status(
    time=1.0,
    engine=EngineStatus(
        version="0", pid=1, uptime_s=1.0, home="h", socket="s", ready=True, reasons=[]
    ),
    backbone=None,
    device=DeviceStatus(kind="cpu", name="cpu", note="no NVIDIA device"),
    host=HostStatus(
        cores=2,
        threads=1,
        cpu=0.0,
        total_bytes=1,
        used_bytes=1,
        engine_bytes=1,
        engine_cpu=0.0,
        disk_free_bytes=1,
        by_owner={},
    ),
    tiers={
        "host": TierStatus(
            resident=3,
            bytes=30,
            budget_bytes=100,
            hits=2,
            misses=1,
            evictions=0,
            bytes_moved=5,
            seconds=0.1,
        )
    },
    queue=QueueStatus(depth=7, tokens=70, limit_tokens=1000),
    rates=Metrics().rates(),
    tenants=1,
    vplms=1,
    domains=[DOMAIN],
    jobs=[],
    totals={},
    problems=[],
)

TRACE_EVENT = TraceEvent(
    ph="X", name="batch 1", cat="compute", pid=1, tid=4, ts=1.5, dur=2.5, args={"batch": 1}
)

SPANS = SpanFeed(
    time=9.0,
    last=7,
    missed=2,
    data=[
        LaneSpan(lane="compute", name="batch 1", start=1.5, seconds=0.5, batch=1, largest={"a": 2})
    ],
)
SLOTS = SlotMap(
    slots=3,
    slot_bytes=10,
    resident=2,
    loading=0,
    first=1,
    heat=[2.5, None, 0.5],
    pinned=[3],
    held=[],
)
DATASET = Dataset(
    tenant="acme",
    name="films",
    rows=2,
    labels={"a": 1, "b": 1},
    bytes=10,
    sha256="ab",
    created_at=1.0,
    duplicates=0,
    conflicts=0,
    too_long=1,
    held_out=1,
)
STORAGE = Storage(
    path="/home/data",
    data=[Stock(kind="adapters", files=2, bytes=20, garbage_files=1, garbage_bytes=5)],
    bytes=20,
    garbage_bytes=5,
    unused_adapters=1,
    unused_adapter_bytes=10,
    disk_bytes=100,
    disk_free_bytes=60,
)
SLOT = Slot(slot=3, adapter="ab" * 32, heat=0.5, pinned=True, vplms=["acme/polarity"], users=1)

_TIMING = Timing(
    queue_s=0.0,
    retrieve_s=0.0,
    load_s=0.0,
    compute_s=0.0,
    hit_rate=1.0,
    batch_size=1,
    tier="device",
    mode="plot",
)


class ScriptedAppliance:
    """`fails[method]` is raised by that method; `calls` records what was asked.

    `start` waits for `may_start`; `classify` answers at once unless `hold` is set.
    """

    def __init__(self, *, started: bool = True) -> None:
        self.ready = False
        self.reasons = ["loading backbone"]
        self.may_start = threading.Event()
        self.closed = False
        self.events = EventLog()
        self._script()
        if started:
            self.may_start.set()

    def forget(self) -> None:
        """Back to the beginning, but for having started."""
        self.events.close()
        self.events = EventLog()
        self._script()

    def _script(self) -> None:
        self.metrics = Metrics()
        self.fails: dict[str, Exception] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.job_now = JOB
        self.file = Path(__file__)
        self.received = bytearray()
        self.chunks = 0
        self.trace_events = 1
        self.upload_error: BaseException | None = None
        self.hold = False
        self.holding = threading.Event()
        self.cancelled = threading.Event()

    def _do(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, arguments))
        if method in self.fails:
            raise self.fails[method]

    def start(self) -> None:
        self.may_start.wait()
        self._do("start")
        self.ready, self.reasons = True, []

    def close(self) -> None:
        self.closed = True

    def status(self) -> Status:
        self._do("status")
        return STATUS

    def trace(self, seconds: float) -> Iterator[TraceEvent]:
        self._do("trace", seconds)
        return iter([TRACE_EVENT] * self.trace_events)

    def spans(self, after: int | None, limit: int) -> SpanFeed:
        self._do("spans", after, limit)
        return SPANS

    def slots(self, first: int, limit: int) -> SlotMap:
        self._do("slots", first, limit)
        return SLOTS

    def slot(self, number: int) -> Slot:
        self._do("slot", number)
        return SLOT

    def tenants(self, q: str, sort: str | None, limit: int, cursor: str | None) -> TenantPage:
        self._do("tenants", q, sort, limit, cursor)
        return TenantPage(data=[TENANT], total=1)

    def tenant(self, name: str) -> Tenant:
        self._do("tenant", name)
        return TENANT

    def create_tenant(self, request: TenantCreate) -> TenantCreated:
        self._do("create_tenant", request)
        return TENANT

    def change_tenant(self, name: str, patch: TenantPatch) -> Tenant:
        self._do("change_tenant", name, patch)
        return TENANT

    def remove_tenant(self, name: str) -> None:
        self._do("remove_tenant", name)

    def rotate_key(self, name: str) -> TenantCreated:
        self._do("rotate_key", name)
        return TENANT

    def domains(self) -> DomainTree:
        self._do("domains")
        return DomainTree(data=[DOMAIN])

    def domain(self, name: str) -> Domain:
        self._do("domain", name)
        return DOMAIN

    def create_domain(self, request: DomainCreate) -> Domain:
        self._do("create_domain", request)
        return DOMAIN

    def change_domain(self, name: str, update: DomainUpdate) -> Domain:
        self._do("change_domain", name, update)
        return DOMAIN

    def _take(self, chunks: Iterator[bytes]) -> None:
        try:
            for chunk in chunks:
                self.received += chunk
                self.chunks += 1
                self._do("chunk")
        except BaseException as error:
            self.upload_error = error
            raise

    def corpus(self, name: str) -> CorpusReceipt:
        self._do("corpus", name)
        return CorpusReceipt(domain=name, lines=1, bytes=2, sha256="ab")

    def put_corpus(self, name: str, chunks: Iterator[bytes]) -> CorpusReceipt:
        self._do("put_corpus", name)
        self._take(chunks)
        return CorpusReceipt(domain=name, lines=1, bytes=len(self.received), sha256="ab")

    def rebuild_domain(self, name: str, request: RebuildRequest) -> JobAccepted:
        self._do("rebuild_domain", name, request)
        return JobAccepted(id="j1")

    def rebuild_cost(self, name: str, request: RebuildRequest) -> RebuildCost:
        self._do("rebuild_cost", name, request)
        return COST

    def epochs(self, name: str) -> DomainEpochs:
        self._do("epochs", name)
        return DomainEpochs(data=[EPOCH])

    def ngrams(self, name: str, q: str, limit: int) -> NgramPage:
        self._do("ngrams", name, q, limit)
        entry = NgramEntry(text="a b c", ids=[1, 2, 3], count=2, hits=1, source="general")
        return NgramPage(data=[entry], total=1)

    def remove_domain(self, name: str) -> None:
        self._do("remove_domain", name)

    def vplms(
        self,
        q: str,
        tenant: str | None,
        sort: str | None,
        limit: int,
        cursor: str | None,
        fuzzy: bool = False,
    ) -> VplmPage:
        self._do("vplms", q, tenant, sort, limit, cursor, *([fuzzy] if fuzzy else []))
        return VplmPage(data=[VPLM], total=1, next_cursor="1")

    def vplm(self, id: str) -> Vplm:
        self._do("vplm", id)
        return VPLM

    def create_vplm(self, request: VplmCreate) -> Created:
        self._do("create_vplm", request)
        return CREATED

    def create_vplms(self, request: VplmBulkCreate) -> BulkCreated:
        self._do("create_vplms", request)
        return BulkCreated(created=["acme/m-00001"])

    def change_vplm(self, id: str, patch: VplmPatch) -> Vplm:
        self._do("change_vplm", id, patch)
        return VPLM

    def remove_vplm(self, id: str) -> None:
        self._do("remove_vplm", id)

    def versions(self, id: str) -> VplmVersions:
        self._do("versions", id)
        return VERSIONS

    def roll_back(self, id: str, request: RollbackRequest) -> Published:
        self._do("roll_back", id, request)
        return PUBLISHED

    def publish_adapter(self, id: str, request: PublishRequest) -> Published:
        self._do("publish_adapter", id, request)
        return PUBLISHED

    def promote(self, id: str, request: PromoteRequest) -> Published:
        self._do("promote", id, request)
        return PUBLISHED

    def starters(
        self, q: str, tenant: str | None, sort: str | None, limit: int, cursor: str | None
    ) -> StarterPage:
        self._do("starters", q, tenant, sort, limit, cursor)
        return StarterPage(data=[STARTER], total=1)

    def starter(self, id: str, tenant: str | None) -> Starter:
        self._do("starter", id, tenant)
        return STARTER

    def publish_starter(self, request: StarterPublish) -> Starter:
        self._do("publish_starter", request)
        return STARTER

    def remove_starter(self, id: str) -> None:
        self._do("remove_starter", id)

    def backbones(self) -> BackboneList:
        self._do("backbones")
        return BackboneList(data=[BACKBONE])

    def backbone(self, id: str) -> Backbone:
        self._do("backbone", id)
        return BACKBONE

    def import_backbone(self, request: BackboneImport) -> Backbone:
        self._do("import_backbone", request)
        return BACKBONE

    def remove_backbone(self, id: str) -> None:
        self._do("remove_backbone", id)

    def adapters(
        self, q: str, sort: str | None, limit: int, cursor: str | None, unused: bool = False
    ) -> AdapterPage:
        self._do("adapters", q, sort, limit, cursor, *([unused] if unused else []))
        return AdapterPage(data=[ADAPTER], total=1, bytes=10)

    def adapter(self, id: str) -> Adapter:
        self._do("adapter", id)
        return ADAPTER

    def import_adapter(self, chunks: Iterator[bytes]) -> Adapter:
        self._do("import_adapter")
        self._take(chunks)
        return ADAPTER

    def adapterhub_folder(self, id: str) -> bytes:
        self._do("adapterhub_folder", id)
        return b"folder"

    def import_adapterhub(self, chunks: Iterator[bytes], labels: Sequence[str]) -> Adapter:
        self._do("import_adapterhub", list(labels))
        self._take(chunks)
        return ADAPTER

    def verify_adapter(self, id: str) -> AdapterCheck:
        self._do("verify_adapter", id)
        return AdapterCheck(id=id, ok=True, detail="")

    def remove_adapter(self, id: str) -> None:
        self._do("remove_adapter", id)

    def storage(self) -> Storage:
        self._do("storage")
        return STORAGE

    def collect_garbage(self) -> Collected:
        self._do("collect_garbage")
        return Collected(files=1, bytes=5, left_bytes=0)

    def encoder_file(self, name: str) -> Path:
        self._do("encoder_file", name)
        return self.file

    def adapter_file(self, id: str) -> Path:
        self._do("adapter_file", id)
        return self.file

    def put_dataset(
        self,
        tenant: str,
        name: str,
        chunks: Iterator[bytes],
        format: str,
        text: str,
        label: str,
        task: Task,
        pair: str,
    ) -> Dataset:
        more = () if (task, pair) == ("classify", "text_pair") else (task, pair)
        self._do("put_dataset", tenant, name, format, text, label, *more)
        self._take(chunks)
        return DATASET.model_copy(update={"name": name, "bytes": len(self.received)})

    def datasets(
        self, tenant: str, q: str, sort: str | None, limit: int, cursor: str | None
    ) -> DatasetPage:
        self._do("datasets", tenant, q, sort, limit, cursor)
        return DatasetPage(data=[DATASET], total=1)

    def dataset(self, tenant: str, name: str) -> Dataset:
        self._do("dataset", tenant, name)
        return DATASET

    def remove_dataset(self, tenant: str, name: str) -> None:
        self._do("remove_dataset", tenant, name)

    def train(self, request: TrainRequest) -> JobAccepted:
        self._do("train", request)
        return JobAccepted(id="j1")

    def jobs(self, state: str | None, limit: int, cursor: str | None) -> JobPage:
        self._do("jobs", state, limit, cursor)
        return JobPage(data=[self.job_now], total=1)

    def job(self, id: str) -> Job:
        self._do("job", id)
        return self.job_now

    def cancel_job(self, id: str) -> Job:
        self._do("cancel_job", id)
        return self.job_now

    async def tag(self, request: TagRequest) -> TagResponse:
        self._do("tag", request)
        span = Span(start=0, end=5, label="PER", score=0.9, text="Alice")
        return TagResponse(
            id="t1",
            created=1,
            model=request.model,
            data=[TaggedText(index=0, spans=[span])],
            labels=["PER"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def predict(self, request: PredictRequest) -> PredictResponse:
        self._do("predict", request)
        return PredictResponse(
            id="p1",
            created=1,
            model=request.model,
            data=[Numbers(index=0, values=[3.25])],
            outputs=["stars"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def embed(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
        self._do("embed", request)
        vector = "AACAPwAAAAA=" if request.encoding_format == "base64" else [1.0, 0.0]
        return EmbeddingsResponse(
            data=[Embedding(index=0, embedding=vector)],
            model=request.model,
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    async def complete(self, request: CompletionRequest) -> Completion:
        self._do("complete", request)
        choice = CompletionChoice(index=0, text=" and so on", finish_reason="length")
        return Completion(
            id="c",
            created=1,
            model=request.model,
            choices=[choice],
            usage=CompletionUsage.of(2, 3),
        )

    async def complete_stream(
        self, request: CompletionRequest
    ) -> AsyncGenerator[CompletionChunk, None]:
        self._do("complete_stream", request)
        try:
            for text in (" and", " so", " on"):
                choice = CompletionChoice(index=0, text=text)
                yield CompletionChunk(id="c", created=1, model=request.model, choices=[choice])
                if self.hold:
                    self.holding.set()
                    await asyncio.Event().wait()
            self._do("stream_end")
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.set()
            raise

    async def classify(self, request: ClassifyRequest) -> ClassifyResponse:
        self._do("classify", request)
        if self.hold:
            self.holding.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        prediction = Prediction(index=0, label="positive", probs=[0.25, 0.75], num_classes=2)
        return ClassifyResponse(
            id="c1",
            created=1,
            model=request.model,
            data=[prediction],
            labels=["negative", "positive"],
            usage=Usage(prompt_tokens=3, total_tokens=3),
            timing=_TIMING,
        )

    def models(self) -> ModelList:
        self._do("models")
        return ModelList(data=[ModelCard(id="acme/polarity", created=1, owned_by="acme")])
