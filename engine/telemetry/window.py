"""The sliding window behind the rates of the status document."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from engine.schema import Rates, TenantRate

WINDOW_S = 30.0
SAMPLES = 32_768
"""Samples of a kind kept at most; faster traffic shortens the window instead of the memory."""


class Timed(Protocol):
    @property
    def at(self) -> float: ...


S = TypeVar("S", bound=Timed)


@dataclass(frozen=True, slots=True)
class RequestSample:
    at: float
    seconds: float
    texts: int
    tokens: int
    ok: bool
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class BatchSample:
    at: float
    texts: int


@dataclass(frozen=True, slots=True)
class SwapSample:
    at: float


@dataclass(frozen=True, slots=True)
class LookupSample:
    at: float
    hits: int
    computed: int


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank quantile of sorted values; None if there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _tenant_rate(name: str, rate: float, latencies: list[float]) -> TenantRate:
    ordered = sorted(latencies)
    return TenantRate(
        tenant=name,
        requests_per_s=rate,
        p50_s=quantile(ordered, 0.50),
        p99_s=quantile(ordered, 0.99),
    )


class Window:
    """What happened in the last WINDOW_S seconds. The caller holds a lock around each call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, samples: int = SAMPLES) -> None:
        self._clock = clock
        self._started = clock()
        self._requests: deque[RequestSample] = deque(maxlen=samples)
        self._batches: deque[BatchSample] = deque(maxlen=samples)
        self._lookups: deque[LookupSample] = deque(maxlen=samples)
        self._swaps: deque[SwapSample] = deque(maxlen=samples)

    def request(
        self, seconds: float, texts: int, tokens: int, *, ok: bool, tenant: str = ""
    ) -> None:
        self._requests.append(RequestSample(self._clock(), seconds, texts, tokens, ok, tenant))

    def batch(self, texts: int) -> None:
        self._batches.append(BatchSample(self._clock(), texts))

    def lookups(self, hits: int, computed: int) -> None:
        self._lookups.append(LookupSample(self._clock(), hits, computed))

    def swap(self) -> None:
        self._swaps.append(SwapSample(self._clock()))

    def tenants(self) -> dict[str, TenantRate]:
        """What each tenant that asked in the window got, by name."""
        now = self._clock()
        span = self._span(now)
        asked: dict[str, int] = {}
        taken: dict[str, list[float]] = {}
        for sample in self._recent(self._requests, now):
            asked[sample.tenant] = asked.get(sample.tenant, 0) + 1
            if sample.ok:
                taken.setdefault(sample.tenant, []).append(sample.seconds)
        return {
            name: _tenant_rate(name, count / span, taken.get(name, []))
            for name, count in asked.items()
        }

    def rates(self) -> Rates:
        now = self._clock()
        requests = self._recent(self._requests, now)
        batches = self._recent(self._batches, now)
        lookups = self._recent(self._lookups, now)
        span = self._span(now)
        latencies = sorted(sample.seconds for sample in requests if sample.ok)
        hits = sum(sample.hits for sample in lookups)
        looked_up = hits + sum(sample.computed for sample in lookups)
        return Rates(
            window_s=span,
            requests_per_s=len(requests) / span,
            texts_per_s=sum(sample.texts for sample in requests) / span,
            tokens_per_s=sum(sample.tokens for sample in requests) / span,
            errors_per_s=sum(not sample.ok for sample in requests) / span,
            p50_s=quantile(latencies, 0.50),
            p99_s=quantile(latencies, 0.99),
            hit_rate=hits / looked_up if looked_up else None,
            batch_size=sum(sample.texts for sample in batches) / len(batches) if batches else None,
            swaps_per_s=len(self._recent(self._swaps, now)) / span,
        )

    def _span(self, now: float) -> float:
        """Seconds the requests' samples stand for: less than the window just after the start,
        and when the deque was too small for the traffic."""
        span = min(WINDOW_S, max(1.0, now - self._started))
        if len(self._requests) == self._requests.maxlen:
            span = min(span, max(now - self._requests[0].at, 1e-3))
        return span

    @staticmethod
    def _recent(samples: deque[S], now: float) -> list[S]:
        while samples and samples[0].at < now - WINDOW_S:
            samples.popleft()
        return list(samples)
