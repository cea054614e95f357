"""What there is to say of a tenant and of a vPLM."""

from __future__ import annotations

import time
from collections.abc import Sequence

from engine.schema import Cost, Tenant, Vplm
from hmi_tui import figures
from hmi_tui.widgets.fact_list import Fact
from hmi_tui.widgets.tables import NEARLY

MISSES = {
    None: "as the engine does",
    "compute": "computed",
    "backoff": "take the row of a shorter n-gram",
}
"""What happens to n-grams that no table holds."""


def instant(unix: float | None) -> str:
    """A Unix time as local date and time."""
    return (
        figures.NOTHING if unix is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(unix))
    )


def tenant_facts(tenant: Tenant) -> list[Fact]:
    quota = tenant.quota
    vplms = f"{figures.count(tenant.vplms)} of {_limit(quota.vplms)}"
    return [
        ("vPLMs", f"{vplms}, {figures.many(tenant.versions, 'version')}"),
        _kept(tenant),
        ("adapters", _files(tenant.stored_bytes, tenant.adapters)),
        ("datasets", _files(tenant.dataset_bytes, tenant.datasets)),
        ("saved", f"{figures.size(tenant.saved_bytes)} by sharing the backbone"),
        ("weight", f"{tenant.weight:g}"),
        ("most req/s", _limit(quota.rps)),
        ("at a time", _limit(quota.concurrency)),
        ("rate", f"{figures.rate(tenant.requests_per_s)} a second"),
        ("p50, p99", f"{figures.seconds(tenant.p50_s)}, {figures.seconds(tenant.p99_s)}"),
        ("this month", _month(tenant)),
        *_costs(tenant.cost),
        ("created", instant(tenant.created_at)),
    ]


def _files(size: int, files: int) -> str:
    return f"{figures.size(size)} in {figures.many(files, 'file')}"


def _kept(tenant: Tenant) -> Fact:
    """What counts against the quota, marked once little of that is left."""
    most = tenant.quota.bytes
    if most is None:
        return ("keeps", f"{figures.size(tenant.used_bytes)}, no limit")
    told = f"{figures.size(tenant.used_bytes)} of {figures.size(most)}"
    if not most:
        return ("keeps", told)
    share = tenant.used_bytes / most
    fact = f"{told}, {figures.share(share)}"
    return ("keeps", fact, "warn") if share >= NEARLY else ("keeps", fact)


def _month(tenant: Tenant) -> str:
    trained = tenant.training_month_s
    training = f", {figures.seconds(trained)} of training" if trained else ""
    return f"{figures.count(tenant.requests_month)} requests{training}"


def _costs(cost: Cost | None) -> list[Fact]:
    """What it comes to this month; nothing where there is no tariff."""
    if cost is None:
        return []
    parts = (("storage", cost.storage), ("requests", cost.requests), ("training", cost.training))
    detail = ", ".join(f"{name} {figures.money(amount)}" for name, amount in parts)
    return [("cost", f"{figures.money(cost.total, cost.currency)} this month: {detail}")]


def _limit(value: float | None) -> str:
    return "no limit" if value is None else f"{value:,g}"


def vplm_facts(vplm: Vplm) -> list[Fact]:
    saved = vplm.dedicated_bytes / vplm.stored_bytes if vplm.stored_bytes else 0
    private = figures.size(vplm.dedicated_bytes)
    return [
        ("domain", vplm.domain),
        ("mode", vplm.mode + (" (lower layers from tables)" if vplm.mode == "plot" else "")),
        ("labels", ", ".join(vplm.labels)),
        (
            "accuracy",
            f"{figures.held_out(vplm.accuracy, vplm.perplexity)} held out"
            if vplm.accuracy is not None
            else "not trained yet; <train_vplm:t> trains it",
        ),
        ("version", str(vplm.version)),
        ("tier", vplm.tier + (", pinned" if vplm.pinned else "")),
        ("requests", f"{figures.count(vplm.requests)} since the engine started"),
        ("last used", "never" if vplm.last_used is None else instant(vplm.last_used)),
        ("misses", MISSES[vplm.miss]),
        ("stored", figures.size(vplm.stored_bytes)),
        (
            "own copy",
            f"{private} without sharing, {saved:,.0f} times as much",
        ),
        (
            "rank",
            f"{vplm.rank}, behind {' and '.join(vplm.places)}" if vplm.places else str(vplm.rank),
        ),
        ("adapter", vplm.adapter),
        ("created", instant(vplm.created_at)),
    ]


def several(names: Sequence[str]) -> str:
    """The first of `names`; an ellipsis stands for the others."""
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
