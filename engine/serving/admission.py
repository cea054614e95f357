"""Who may ask now: the tenants' quotas of requests a second and of requests in flight."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from engine.errors import QuotaExceeded

_SHARE = 0.1
"""Of the latest request in how long a tenant's requests take."""
_IDLE = 1024
"""Tenants without a request in flight that are remembered."""


@dataclass(frozen=True, slots=True)
class TenantTerms:
    """What a tenant is entitled to; None is no limit."""

    weight: float = 1.0
    rps: float | None = None
    concurrency: int | None = None


@dataclass(slots=True)
class _Account:
    tokens: float
    """Of the token bucket: requests that may come at once."""
    filled: float
    """When the bucket was last filled."""
    in_flight: int = 0
    seconds: float = 1.0
    """That a request takes."""


class Admission:
    """Thread-safe. `terms` says what holds for a tenant now."""

    def __init__(
        self,
        terms: Callable[[str], TenantTerms],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._terms, self._clock = terms, clock
        self._accounts: dict[str, _Account] = {}
        self._lock = threading.Lock()

    @contextmanager
    def admit(self, tenant: str) -> Iterator[None]:
        """Around one request. QuotaExceeded."""
        terms, began = self._terms(tenant), self._clock()
        if terms.rps is None and terms.concurrency is None:
            yield
            return
        with self._lock:
            account = self._enter(tenant, terms, began)
        try:
            yield
        finally:
            with self._lock:
                account.in_flight -= 1
                account.seconds += _SHARE * (self._clock() - began - account.seconds)

    def count(self, tenant: str) -> None:
        """A call that is over at once, and so counts against the rate alone. QuotaExceeded."""
        terms, now = self._terms(tenant), self._clock()
        if terms.rps is None:
            return
        with self._lock:
            self._enter(tenant, replace(terms, concurrency=None), now).in_flight -= 1

    def in_flight(self, tenant: str) -> int:
        """Requests under way; known of tenants with a limit of rate or concurrency."""
        with self._lock:
            account = self._accounts.get(tenant)
            return 0 if account is None else account.in_flight

    def _enter(self, tenant: str, terms: TenantTerms, now: float) -> _Account:
        burst = max(1.0, terms.rps or 1.0)
        account = self._accounts.get(tenant)
        if account is None:
            self._forget_idle(now)
            account = self._accounts[tenant] = _Account(burst, now)
        gained = (now - account.filled) * (terms.rps or burst)
        account.tokens, account.filled = min(burst, account.tokens + gained), now
        if terms.concurrency is not None and account.in_flight >= terms.concurrency:
            raise QuotaExceeded(
                f'"{tenant}" has {account.in_flight} requests in flight, and its quota is '
                f"{terms.concurrency} (concurrency).",
                retry_after=account.seconds,
                code="quota_concurrency",
            )
        if terms.rps is not None:
            if account.tokens < 1:
                raise QuotaExceeded(
                    f'"{tenant}" asks more often than its quota of {terms.rps:g} requests a '
                    "second (rps).",
                    retry_after=(1 - account.tokens) / terms.rps,
                    code="quota_rps",
                )
            account.tokens -= 1
        account.in_flight += 1
        return account

    def _forget_idle(self, now: float) -> None:
        """Tenants that have nothing in flight and a full bucket again are as good as new."""
        if len(self._accounts) < _IDLE:
            return
        self._accounts = {
            tenant: account
            for tenant, account in self._accounts.items()
            if account.in_flight or not self._full(tenant, account, now)
        }

    def _full(self, tenant: str, account: _Account, now: float) -> bool:
        rps = self._terms(tenant).rps
        return rps is None or account.tokens + (now - account.filled) * rps >= max(1.0, rps)
