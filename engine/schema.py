"""The documents that cross the API: what a request may say and what an answer holds.

Names are CONTRACT section 2's. Requests refuse unknown fields; answers ignore them, so that an
older client reads a newer engine. Bytes are integers, times seconds, instants Unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Mode = Literal["plot", "exact"]
Tier = Literal["disk", "host", "device"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]

MAX_INPUTS = 1024
MAX_LABELS = 4096
MAX_COUNT = 100_000


class Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


# -- tenants ---------------------------------------------------------------------------------


class Quota(BaseModel):
    """Limits of one tenant; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vplms: int | None = Field(None, ge=0)
    bytes: int | None = Field(None, ge=0)
    rps: float | None = Field(None, gt=0)
    concurrency: int | None = Field(None, ge=1)


class TenantCreate(Request):
    name: Name
    weight: float = Field(1.0, gt=0, le=1000)
    quota: Quota = Quota()


class TenantPatch(Request):
    weight: float | None = Field(None, gt=0, le=1000)
    quota: Quota | None = None


class Tenant(Answer):
    name: str
    weight: float
    quota: Quota
    vplms: int
    stored_bytes: int
    created_at: float


class TenantCreated(Tenant):
    api_key: str
    """Shown once; the catalogue keeps only its digest."""


class TenantPage(Answer):
    object: Literal["list"] = "list"
    data: list[Tenant]
    total: int
    next_cursor: str | None = None


# -- domains ---------------------------------------------------------------------------------


class DomainCreate(Request):
    name: Name
    parent: Name = "general"


class Domain(Answer):
    """A node: `entries` and `bytes` are its own overrides, `view_entries` what a lookup sees."""

    name: str
    parent: str | None
    depth: int
    epoch: int
    entries: int
    bytes: int
    view_entries: int
    hits: int
    misses: int
    hit_rate: float | None
    corpus_bytes: int
    corpus_lines: int
    encoder: Literal["own", "inherited"]
    state: Literal["empty", "ready", "rebuilding", "damaged"]
    vplms: int
    created_at: float


class DomainTree(Answer):
    """Nodes depth first, a parent before its children."""

    object: Literal["list"] = "list"
    data: list[Domain]


class CorpusReceipt(Answer):
    domain: str
    lines: int
    bytes: int
    sha256: str


class RebuildRequest(Request):
    alpha: float = Field(0.5, gt=0, le=1)
    budget_bytes: int = Field(256 << 20, ge=0)
    threshold: float = Field(0.0, ge=0)
    """Mean absolute difference to the inherited row below which an entry is not kept."""


class NgramEntry(Answer):
    text: str
    ids: list[int]
    count: int
    hits: int
    source: str
    """The node whose row a lookup in this domain gets."""


class NgramPage(Answer):
    object: Literal["list"] = "list"
    data: list[NgramEntry]
    total: int


# -- vPLMs -----------------------------------------------------------------------------------


def _distinct(labels: list[str]) -> list[str]:
    seen: set[str] = set()
    for label in labels:
        if not label.strip():
            raise ValueError("a label is empty")
        if label in seen:
            raise ValueError(f"label {label!r} is given twice; labels must be distinct")
        seen.add(label)
    if len(labels) < 2:
        raise ValueError("a classifier needs at least two labels")
    return labels


class VplmSpec(Request):
    tenant: Name
    kind: Literal["classifier"] = "classifier"
    domain: Name = "general"
    labels: list[str] = Field(max_length=MAX_LABELS)
    adapter: str = "random"
    """`random`, or the id (sha256) of an adapter in the store to start from."""
    mode: Mode = "plot"
    rank: int = Field(64, ge=1)

    @field_validator("labels")
    @classmethod
    def _labels_distinct(cls, labels: list[str]) -> list[str]:
        return _distinct(labels)


class VplmCreate(VplmSpec):
    name: Name


class VplmBulkCreate(VplmSpec):
    """`count` vPLMs named NAME-00001 and on, each with its own random parameters."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,54}$")]
    count: int = Field(ge=1, le=MAX_COUNT)


class VplmPatch(Request):
    pin: bool | None = None
    domain: Name | None = None
    mode: Mode | None = None


class Vplm(Answer):
    id: str
    tenant: str
    name: str
    kind: str
    domain: str
    labels: list[str]
    mode: Mode
    rank: int
    adapter: str
    version: int
    """1 at creation; each published training adds one."""
    tier: Tier
    pinned: bool
    stored_bytes: int
    dedicated_bytes: int
    """What a whole private copy of the backbone with this head would take."""
    accuracy: float | None
    requests: int
    created_at: float


class VplmPage(Answer):
    object: Literal["list"] = "list"
    data: list[Vplm]
    total: int
    next_cursor: str | None = None


class BulkCreated(Answer):
    created: list[str]


# -- adapters --------------------------------------------------------------------------------


class Adapter(Answer):
    id: str
    """sha256 of the file."""
    bytes: int
    rank: int
    labels: int
    tier: Tier
    users: list[str]
    created_by: str
    """`random`, or the job that trained it."""
    created_at: float


class AdapterPage(Answer):
    object: Literal["list"] = "list"
    data: list[Adapter]
    total: int
    bytes: int
    next_cursor: str | None = None


# -- datasets and jobs -----------------------------------------------------------------------


class DatasetReceipt(Answer):
    tenant: str
    name: str
    rows: int
    labels: dict[str, int]
    """Rows of each label."""
    bytes: int


class TrainRequest(Request):
    type: Literal["train"] = "train"
    vplm: str
    dataset: str
    epochs: int = Field(3, ge=1, le=1000)
    lr: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(32, ge=1, le=4096)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    when: Literal["now", "idle"] = "now"
    seed: int = 0


class JobAccepted(Answer):
    id: str


class Point(Answer):
    step: int
    value: float


class Job(Answer):
    id: str
    type: Literal["train", "rebuild"]
    subject: str
    """The vPLM or the domain that it works on."""
    state: JobState
    progress: float
    """0 to 1."""
    eta_s: float | None
    message: str
    """What it is doing, or how it ended, in words."""
    params: dict[str, Any]
    loss: list[Point]
    accuracy: list[Point]
    """Held-out, one point an epoch."""
    error: str | None
    result: dict[str, Any]
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class JobPage(Answer):
    object: Literal["list"] = "list"
    data: list[Job]
    total: int
    next_cursor: str | None = None


# -- classification --------------------------------------------------------------------------


class ClassifyRequest(Request):
    model: str
    input: str | list[str]
    mode: Mode | None = None

    @field_validator("input")
    @classmethod
    def _some_text(cls, value: str | list[str]) -> str | list[str]:
        texts = [value] if isinstance(value, str) else value
        if not texts:
            raise ValueError("input is an empty list; give at least one text")
        if len(texts) > MAX_INPUTS:
            raise ValueError(f"input holds {len(texts)} texts; at most {MAX_INPUTS} a request")
        for index, text in enumerate(texts):
            if not text.strip():
                raise ValueError(f"input[{index}] is empty; give a text with at least one word")
        return value


class Prediction(Answer):
    index: int
    label: str
    probs: list[float]
    num_classes: int
    truncated: bool = False
    """The text was longer than the backbone reads; only its beginning was used."""


class Usage(Answer):
    prompt_tokens: int
    total_tokens: int = 0


class Timing(Answer):
    """Seconds of the slowest of the request's batches; shares over all its tokens."""

    queue_s: float
    retrieve_s: float
    load_s: float
    compute_s: float
    hit_rate: float | None
    """Share of tokens whose n-gram was in the table; None in exact mode."""
    cached_rate: float | None = None
    """Share whose row had been computed lately; what neither covers was computed now."""
    backed_off_rate: float | None = None
    """Share that took the row of a shorter n-gram."""
    batch_size: int
    batch_models: int = 1
    """Distinct vPLMs in that batch."""
    tier: Tier
    """Where the adapter was when the request was accepted."""
    mode: Mode


class ClassifyResponse(Answer):
    object: Literal["list"] = "list"
    id: str
    created: int
    model: str
    data: list[Prediction]
    labels: list[str]
    usage: Usage
    timing: Timing


class ModelCard(Answer):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(Answer):
    object: Literal["list"] = "list"
    data: list[ModelCard]


# -- status ----------------------------------------------------------------------------------


class EngineStatus(Answer):
    version: str
    pid: int
    uptime_s: float
    home: str
    socket: str
    ready: bool
    reasons: list[str]
    """Why it is not ready."""


class BackboneStatus(Answer):
    name: str
    sha256: str
    layers: int
    split: int
    """Lower layers that the tables stand for (k)."""
    hidden: int
    max_tokens: int
    dtype: str
    parameters: int
    bytes: int


class DeviceStatus(Answer):
    kind: Literal["cpu", "cuda"]
    name: str
    note: str
    """Plain words when there is nothing to measure, such as "no NVIDIA device"."""
    total_bytes: int | None = None
    used_bytes: int | None = None
    engine_bytes: int | None = None
    utilisation: float | None = None
    """0 to 1."""
    power_w: float | None = None
    temperature_c: float | None = None
    age_s: float = 0.0
    """How old the sample is."""


class HostStatus(Answer):
    cores: int
    threads: int
    cpu: float
    """Share of all cores in use, 0 to 1."""
    total_bytes: int
    used_bytes: int
    engine_bytes: int
    """Resident memory of the engine process."""
    engine_cpu: float
    disk_free_bytes: int
    by_owner: dict[str, int]
    """Bytes the engine knows the owner of: backbone, tables, host cache, device arena."""


class TierStatus(Answer):
    resident: int
    bytes: int
    budget_bytes: int | None
    hits: int
    misses: int
    evictions: int
    bytes_moved: int
    seconds: float


class QueueStatus(Answer):
    depth: int
    tokens: int
    limit_tokens: int


class Rates(Answer):
    """Over the last `window_s` seconds."""

    window_s: float
    requests_per_s: float
    texts_per_s: float
    tokens_per_s: float
    errors_per_s: float
    p50_s: float | None
    p99_s: float | None
    hit_rate: float | None
    batch_size: float | None


class Problem(Answer):
    what: str
    remedy: str


class Status(Answer):
    time: float
    engine: EngineStatus
    backbone: BackboneStatus | None
    device: DeviceStatus
    host: HostStatus
    tiers: dict[Tier, TierStatus]
    queue: QueueStatus
    rates: Rates
    tenants: int
    vplms: int
    domains: list[Domain]
    jobs: list[Job]
    """Queued and running."""
    totals: dict[str, int]
    """Since start: requests, texts, tokens, errors, batches."""
    problems: list[Problem]


class Version(Answer):
    version: str
    api: Literal["v1"] = "v1"


class Event(Answer):
    """One line of the event stream: `type` is span, swap, epoch, job or engine."""

    id: int
    type: str
    time: float
    data: dict[str, Any]
