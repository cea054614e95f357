"""Tenants, their weights and quotas."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.schema.base import Answer, Name, Request


class Quota(BaseModel):
    """Limits of one tenant; None is no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vplms: int | None = Field(None, ge=0)
    bytes: int | None = Field(None, ge=0)
    rps: float | None = Field(None, gt=0)
    concurrency: int | None = Field(None, ge=1)
    training_minutes: float | None = Field(None, ge=0)
    """A month (UTC); asked when a training is ordered, not while it runs."""


class TenantCreate(Request):
    name: Name
    weight: float = Field(1.0, gt=0, le=1000)
    quota: Quota = Quota()


class TenantPatch(Request):
    weight: float | None = Field(None, gt=0, le=1000)
    quota: Quota | None = None


class Cost(Answer):
    """What this month comes to by the operator's tariff: storage as if kept for all of it, requests
    and training until now."""

    currency: str
    storage: float
    requests: float
    training: float
    total: float


class Tenant(Answer):
    name: str
    weight: float
    quota: Quota
    vplms: int
    stored_bytes: int
    """Its adapters alone."""
    created_at: float
    requests_per_s: float = 0.0
    """Over the window of the status's rates, as the latencies."""
    p50_s: float | None = None
    p99_s: float | None = None
    in_flight: int = 0
    """Requests under way; of a tenant without a limit of rate or concurrency not counted."""
    requests_month: int = 0
    """Asked since this month began (UTC)."""
    training_month_s: float = 0.0
    cost: Cost | None = None
    """None without a tariff in config.toml."""
    versions: int = 0
    """Of its vPLMs, those that are kept."""
    adapters: int = 0
    datasets: int = 0
    dataset_bytes: int = 0
    used_bytes: int = 0
    """Adapters and datasets: what `quota.bytes` bounds and what storage is billed by."""
    dedicated_bytes: int = 0
    """What a private copy of the backbone for each of its vPLMs would take."""
    saved_bytes: int = 0
    """Of these, what sharing the backbone saves."""


class TenantCreated(Tenant):
    api_key: str
    """Shown once; the catalogue keeps only its digest."""


class TenantPage(Answer):
    object: Literal["list"] = "list"
    data: list[Tenant]
    total: int
    next_cursor: str | None = None
