"""Prometheus metrics, prefix hmi_, base units. Tenants are labels; vPLMs and adapters never are."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import prometheus_client
import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine.schema import LoadedBackbone, QueueStatus, Rates, TenantRate, Tier, TierStatus
from engine.telemetry.spans import Stage
from engine.telemetry.window import Window

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
MAX_LABELS = 64
"""Distinct tenants (and domains) with series of their own; the rest share "other"."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

# One more series for each counter, the instant it was made, is of no use here.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class _Labels:
    """The first MAX_LABELS names are themselves, later ones "other"."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def of(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= MAX_LABELS:
                return "other"
            self._known.add(name)
        return name


class _Tiers(Collector):
    """The tiers' own counts, as of the latest render."""

    def __init__(self) -> None:
        self.latest: Mapping[Tier, TierStatus] = {}

    def collect(self) -> Iterator[Metric]:
        gauges = {
            "resident": "Adapters in the tier.",
            "bytes": "Bytes of the adapters in the tier.",
            "waiting": "Loads into the tier that are queued.",
        }
        for name, words in gauges.items():
            gauge = GaugeMetricFamily(f"hmi_tier_{name}", words, labels=["tier"])
            for tier, status in self.latest.items():
                gauge.add_metric([tier], getattr(status, name))
            yield gauge
        counters = {
            "hits": ("hits", "Adapters asked for and found in the tier."),
            "misses": ("misses", "Adapters asked for and not found in the tier."),
            "evictions": ("evictions", "Adapters that had to leave the tier."),
            "moved_bytes": ("bytes_moved", "Bytes brought into the tier."),
            "prefetched": ("prefetched", "Loads begun before a batch needed them."),
            "prefetched_used": ("prefetched_used", "Loads ahead of need that a batch then used."),
            "cancelled": ("cancelled", "Loads that nobody wanted any more."),
        }
        for name, (attribute, words) in counters.items():
            counter = CounterMetricFamily(f"hmi_tier_{name}", words, labels=["tier"])
            for tier, status in self.latest.items():
                counter.add_metric([tier], getattr(status, attribute))
            yield counter


class _Backbones(Collector):
    """Those in memory, as of the latest render; there are a handful at most."""

    def __init__(self) -> None:
        self.latest: Sequence[LoadedBackbone] = ()

    def collect(self) -> Iterator[Metric]:
        memory = GaugeMetricFamily(
            "hmi_backbone_bytes", "Memory of a backbone, by what.", labels=["backbone", "owner"]
        )
        waiting = GaugeMetricFamily(
            "hmi_backbone_waiting", "Texts that wait for a backbone.", labels=["backbone"]
        )
        for each in self.latest:
            waiting.add_metric([each.id], each.waiting)
            for owner, held in each.by_owner.items():
                memory.add_metric([each.id, owner.replace(" ", "_")], held)
        yield from (memory, waiting)


class Metrics:
    """All series of one engine, in a registry of their own, and the rates of the last 30 s."""

    def __init__(self, window: Window | None = None) -> None:
        self._lock = threading.Lock()
        self._window = window or Window()
        self._tenants, self._domains = _Labels(), _Labels()
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "hmi_requests", "Requests ended.", ["tenant", "outcome"], registry=registry
        )
        self._texts = Counter("hmi_texts", "Texts answered.", registry=registry)
        self._tokens = Counter("hmi_tokens", "Tokens answered.", registry=registry)
        self._request_seconds = Histogram(
            "hmi_request_seconds", "From accepted to answered.", buckets=_SECONDS, registry=registry
        )
        self._stage_seconds = Histogram(
            "hmi_stage_seconds",
            "Of one batch in one stage.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_texts = Histogram(
            "hmi_batch_texts", "Texts in a batch.", buckets=_TEXTS, registry=registry
        )
        self._lookups = Counter(
            "hmi_table_lookups", "N-grams looked up.", ["domain", "outcome"], registry=registry
        )
        self._refused = Counter(
            "hmi_refused", "Requests answered 429.", ["reason"], registry=registry
        )
        self._generated = Counter(
            "hmi_generator_tokens", "Tokens run by the decoder.", ["phase"], registry=registry
        )
        self._round_seconds = Histogram(
            "hmi_generator_round_seconds",
            "Of one round of the decoder's batch.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._first_token = Histogram(
            "hmi_generator_first_token_seconds",
            "From accepted to the first token.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._jobs = Counter("hmi_jobs", "Jobs ended.", ["type", "state"], registry=registry)
        self._queue_depth = Gauge("hmi_queue_depth", "Texts that wait.", registry=registry)
        self._queue_tokens = Gauge("hmi_queue_tokens", "Tokens that wait.", registry=registry)
        self._latency_error = Gauge(
            "hmi_latency_error_ratio",
            "Median relative error of predicted batch times.",
            registry=registry,
        )
        self._resident = Gauge(
            "hmi_process_resident_bytes", "Resident memory of the engine.", registry=registry
        )
        self._ready = Gauge("hmi_ready", "1 while the engine can serve.", registry=registry)
        self._disk_free = Gauge(
            "hmi_disk_free_bytes", "Free on the disk of the home.", registry=registry
        )
        self._tiers = _Tiers()
        self._backbones = _Backbones()
        registry.register(self._tiers)
        registry.register(self._backbones)
        self._process = psutil.Process()

    def observe_request(
        self, tenant: str, outcome: str, seconds: float, texts: int, tokens: int
    ) -> None:
        """A request has ended; `outcome` is "ok" or the code of its error."""
        ok = outcome == "ok"
        with self._lock:
            self._requests.labels(self._tenants.of(tenant), outcome).inc()
            self._window.request(
                seconds, texts if ok else 0, tokens if ok else 0, ok=ok, tenant=tenant
            )
        if ok:
            self._texts.inc(texts)
            self._tokens.inc(tokens)
            self._request_seconds.observe(seconds)

    def observe_batch(self, seconds: Mapping[Stage, float], texts: int) -> None:
        """A batch has gone through the stages, which took `seconds` each."""
        for stage, taken in seconds.items():
            self._stage_seconds.labels(stage).observe(taken)
        self._batch_texts.observe(texts)
        with self._lock:
            self._window.batch(texts)

    def observe_lookups(
        self, domain: str, hits: int, computed: int, cached: int = 0, backed_off: int = 0
    ) -> None:
        """Tokens whose n-gram the domain's table had; the others' rows were computed now, computed
        lately, or those of a shorter n-gram."""
        with self._lock:
            label = self._domains.of(domain)
            self._window.lookups(hits, computed + cached + backed_off)
        self._lookups.labels(label, "hit").inc(hits)
        self._lookups.labels(label, "computed").inc(computed)
        self._lookups.labels(label, "cached").inc(cached)
        self._lookups.labels(label, "backed_off").inc(backed_off)

    def observe_round(self, prefill: int, decode: int, seconds: float) -> None:
        """The decoder has run a round of `prefill` tokens of prompts and `decode` of texts."""
        self._generated.labels("prefill").inc(prefill)
        self._generated.labels("decode").inc(decode)
        self._round_seconds.observe(seconds)

    def observe_first_token(self, seconds: float) -> None:
        """A text that was asked for `seconds` ago has begun."""
        self._first_token.observe(seconds)

    def observe_swap(self) -> None:
        """An adapter has come into a slot of the device."""
        with self._lock:
            self._window.swap()

    def observe_refusal(self, reason: str) -> None:
        """A request was answered 429; `reason` is the code of its error."""
        self._refused.labels(reason).inc()

    def job_ended(self, type: str, state: str) -> None:
        self._jobs.labels(type, state).inc()

    def rates(self) -> Rates:
        """Over the last 30 s; latencies are exact, and of answered requests alone."""
        with self._lock:
            return self._window.rates()

    def tenants(self) -> dict[str, TenantRate]:
        """Over the last 30 s, of every tenant that asked, by name."""
        with self._lock:
            return self._window.tenants()

    def render(
        self,
        queue: QueueStatus | None = None,
        tiers: Mapping[Tier, TierStatus] | None = None,
        backbones: Sequence[LoadedBackbone] = (),
        *,
        ready: bool = True,
        disk_free: int = 0,
    ) -> bytes:
        """The text exposition, with `queue`, `tiers` and `backbones` as they are now (None: nobody
        knows yet)."""
        with self._lock:
            self._ready.set(ready)
            self._disk_free.set(disk_free)
            self._tiers.latest = tiers or {}
            self._backbones.latest = backbones
            self._queue_depth.set(queue.depth if queue else 0)
            self._queue_tokens.set(queue.tokens if queue else 0)
            latency = queue.latency if queue else None
            self._latency_error.set((latency and latency.error) or 0)
            self._resident.set(self._process.memory_info().rss)
            return prometheus_client.generate_latest(self._registry)
