"""Quotas of what a tenant may keep (bytes: adapters and datasets together), and may train."""

from __future__ import annotations

import time
from dataclasses import dataclass

from engine.errors import QuotaReached
from store.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tenant keeps, and may keep (None: any amount), in bytes."""

    tenant: str
    used: int
    limit: int | None

    @classmethod
    def of(cls, catalogue: Catalogue, tenant: str) -> Allowance:
        """As the catalogue has it now. NotFound."""
        limit = catalogue.tenants.get(tenant).quota.get("bytes")
        used = catalogue.holdings.of(tenant).bytes
        return cls(tenant, used, None if limit is None else int(limit))

    def check(self, more: int, freed: int, what: str) -> None:
        """QuotaReached if `more` bytes for `what` (with its verb) do not fit, once `freed` went."""
        kept = self.used - freed
        if self.limit is None or more <= 0 or kept + more <= self.limit:
            return
        raise QuotaReached(
            f'quota.bytes of tenant "{self.tenant}" is {self.limit:,}, of which {kept:,} are in '
            f"use; {what} at least {more:,} more.",
            remedy="Remove datasets or vPLMs (hmi dataset rm, hmi vplm rm), or raise the quota "
            f"(hmi tenant set {self.tenant} --max-bytes SIZE).",
            code="quota_bytes",
        )


def check_training(catalogue: Catalogue, tenant: str, seconds: float) -> None:
    """QuotaReached if the tenant's trainings took, this month, as long as they may; `seconds` is
    how long that was, with those that run. NotFound."""
    limit = catalogue.tenants.get(tenant).quota.get("training_minutes")
    if limit is None or seconds < 60 * limit:
        return
    raise QuotaReached(
        f'quota.training_minutes of tenant "{tenant}" is {limit:g} a month, of which '
        f"{seconds / 60:.1f} are used.",
        remedy=f"Wait for {_next_month(time.time())}, or raise the quota "
        f"(hmi tenant set {tenant} --max-training MINUTES).",
        code="quota_training_minutes",
    )


def _next_month(now: float) -> str:
    """Its first day, in UTC, as the months of use are."""
    year, month = time.gmtime(now)[:2]
    return f"{year + month // 12}-{month % 12 + 1:02d}-01"
