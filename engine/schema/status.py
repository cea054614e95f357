"""The one document that says how the engine is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.schema.base import Answer, Tier
from engine.schema.domains import Domain
from engine.schema.jobs import Job


class EngineStatus(Answer):
    version: str
    pid: int
    uptime_s: float
    home: str
    socket: str
    listen: str | None = None
    """HOST:PORT on the network, beside the socket; None: the socket alone."""
    tls_cert: str | None = None
    tls_key: str | None = None
    """The files of the certificate that it shows there; None: it speaks HTTP."""
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


class LoadedBackbone(Answer):
    """An encoder in memory, of now."""

    id: str
    sha256: str
    own: bool
    """The engine's own, which is always there; others come and go."""
    vplms: int
    """That have it, asked or not."""
    waiting: int
    """Texts in its queue."""
    fallback: str | None = None
    """Why all its vPLMs answer in exact mode, if so."""
    by_owner: dict[str, int]
    """Bytes of memory: backbone, encoders, row cache, host cache, adapter slots."""


class GeneratorStatus(Answer):
    """The decoder and its batch, of now."""

    backbone: BackboneStatus
    fallback: str | None
    """Why every text is generated in exact mode, if so."""
    waiting: int
    """Texts that wait for room in the cache or for their adapter."""
    waiting_tokens: int
    """What they will take in the cache at most."""
    living: int
    """Texts in the batch."""
    cache_used_bytes: int
    """Of keys and values."""
    cache_bytes: int
    tokens_per_s: float
    """Of rounds lately, prompts and all; 0 before the first."""
    adapters: int
    """Generators' adapters that have a slot."""
    domains: list[Domain] = Field(default_factory=list)
    """The tree, with what it knows for the decoder."""


class DeviceProcess(Answer):
    """Another process on the device. `name` is empty and `bytes` None where NVML says nothing."""

    pid: int
    name: str
    bytes: int | None


class DeviceStatus(Answer):
    """None stands for what the driver does not say."""

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
    power_limit_w: float | None = None
    temperature_c: float | None = None
    sm_mhz: int | None = None
    sm_max_mhz: int | None = None
    memory_mhz: int | None = None
    memory_max_mhz: int | None = None
    slowed_by: list[str] | None = None
    """Why the clocks are held down, in words; empty if nothing holds them."""
    received_per_s: int | None = None
    """Bytes a second that came over PCIe."""
    sent_per_s: int | None = None
    mig: bool | None = None
    """Whether the device is partitioned (multi-instance GPU)."""
    mps: bool | None = None
    """Whether processes share it through NVIDIA's multi-process service."""
    others: list[DeviceProcess] | None = None
    """Other processes on the device, the largest first."""
    slowdown: float | None = None
    """How many times as long as predicted the last batches took (actual / predicted), which is how
    interference shows; None without a prediction."""
    by_owner: dict[str, int] = Field(default_factory=dict)
    """Bytes of the device's memory whose owner the engine knows, other processes' among them."""
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
    prefetched: int = 0
    """Loads begun before a batch needed them."""
    prefetched_used: int = 0
    """Of these, how many a batch then used."""
    cancelled: int = 0
    """Loads that nobody wanted any more before they were done."""
    waiting: int = 0
    """Loads queued now."""
    held: int = 0
    """Adapters that must stay for now: batches use them (device), or requests wait for them
    (host)."""


class TenantQueue(Answer):
    """What one tenant has waiting."""

    tenant: str
    texts: int
    tokens: int
    oldest_s: float


class LatencyStatus(Answer):
    """What the engine has learned about how long batches take."""

    batches: int
    error: float | None
    """Median of |predicted - actual| / actual, of predictions made before the batch ran."""
    coefficients: dict[str, float]
    """Seconds for one batch, text, plot_token, exact_token, adapter and cold_adapter."""


class QueueStatus(Answer):
    depth: int
    tokens: int
    limit_tokens: int
    busiest: list[TenantQueue] | None = None
    """The tenants with most tokens waiting."""
    latency: LatencyStatus | None = None
    slo_ms: float | None = None
    refused: dict[str, int] | None = None
    """Requests answered 429 since start, by reason: queue_full, slo_unattainable, quota_rps and
    quota_concurrency."""


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
    swaps_per_s: float = 0.0
    """Adapters brought into slots of the device."""


class TenantRate(Answer):
    """One tenant's traffic over the window of `Rates`."""

    tenant: str
    requests_per_s: float
    p50_s: float | None
    p99_s: float | None


class Problem(Answer):
    what: str
    remedy: str


class Status(Answer):
    time: float
    engine: EngineStatus
    backbone: BackboneStatus | None
    """The engine's own."""
    backbones: list[LoadedBackbone] = Field(default_factory=list)
    """All that are loaded, the engine's own first."""
    generators: GeneratorStatus | None = None
    """None: no vPLM can generate."""
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
    busiest: list[TenantRate] = Field(default_factory=list)
    """The tenants with most requests a second, the busiest first."""


class Version(Answer):
    version: str
    api: Literal["v1"] = "v1"


class Event(Answer):
    """One line of the event stream: `type` is span, swap, epoch, job or engine."""

    id: int
    type: str
    time: float
    data: dict[str, Any]
