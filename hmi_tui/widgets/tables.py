"""The columns of each list, most needed first; the rest appear as the screen gets wider."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from engine.schema import Adapter, DomainEpoch, Job, NgramEntry, Tenant, Vplm, VplmVersion
from hmi_tui import figures
from hmi_tui.tones import Tone
from hmi_tui.widgets.columns import Cell, Column, at_hand

TIER_TONES: dict[str, Tone] = {"device": "good", "host": "accent", "disk": "muted"}
STATE_SIGNS: dict[str, tuple[str, Tone]] = {
    "queued": ("…", "muted"),
    "running": ("▶", "accent"),
    "succeeded": ("✓", "good"),
    "failed": ("✗", "bad"),
    "cancelled": ("–", "muted"),  # noqa: RUF001
}
NEARLY = 0.9
"""Share of a quota from which it is as good as used up."""


def since(instant: float) -> str:
    """How long ago a Unix time is."""
    return figures.age(time.time() - instant)


def last_used(vplm: Vplm) -> Cell:
    return ("never", "muted") if vplm.last_used is None else since(vplm.last_used)


def quota_cell(tenant: Tenant) -> Cell:
    """How much of its bytes a tenant has used up."""
    most = tenant.quota.bytes
    if not most:
        return figures.NOTHING
    told, used = figures.share(tenant.used_bytes / most), tenant.used_bytes / most
    return (told, "warn") if used >= NEARLY else told


def tier_cell(tier: str) -> Cell:
    return tier, TIER_TONES[tier]


def job_cell(job: Job) -> Cell:
    sign, tone = STATE_SIGNS[job.state]
    if job.state == "running":
        return f"{sign} {figures.share(job.progress)}", tone
    return f"{sign} {job.state}", tone


def last_accuracy(job: Job) -> float | None:
    return job.accuracy[-1].value if job.accuracy else None


def last_held_out(job: Job) -> str:
    perplexity = job.perplexity[-1].value if job.perplexity else None
    return figures.held_out(last_accuracy(job), perplexity)


def outcome(job: Job) -> str:
    """The last held-out accuracy, or perplexity, of a job that has one."""
    return last_held_out(job) if job.accuracy else ""


TENANTS: tuple[Column[Tenant], ...] = (
    Column("tenant", lambda t: t.name, 10, grow=1, sort="name", key="N"),
    Column("vPLMs", lambda t: figures.count(t.vplms), 6, "right", sort="vplms", key="V"),
    Column(
        "req/s",
        lambda t: figures.rate(t.requests_per_s),
        6,
        "right",
        rank=1,
        sort="requests_per_s",
        key="R",
    ),
    Column("p99", lambda t: figures.seconds(t.p99_s), 6, "right", rank=2, sort="p99_s", key="P"),
    Column(
        "keeps",
        lambda t: figures.size(t.used_bytes),
        8,
        "right",
        rank=3,
        sort="used_bytes",
        key="K",
    ),
    Column("quota", quota_cell, 6, "right", rank=3),
    Column("weight", lambda t: f"{t.weight:g}", 6, "right", rank=6, sort="weight", key="W"),
)

COST: Column[Tenant] = Column(
    "cost",
    lambda t: figures.money(t.cost.total) if t.cost else "",
    8,
    "right",
    rank=4,
    sort="cost",
    key="C",
)
"""Where config.toml has a tariff."""

VPLMS: tuple[Column[Vplm], ...] = (
    Column("vPLM", lambda v: v.id, 16, grow=3, sort="id", key="N"),
    Column("domain", lambda v: v.domain, 8, grow=1, rank=1, sort="domain", key="D"),
    Column("tier", lambda v: tier_cell(v.tier), 6),
    Column("pin", lambda v: ("pin", "accent") if v.pinned else "", 3, sort="pinned", key="P"),
    Column("mode", lambda v: v.mode, 6, rank=3, sort="mode", key="M"),
    Column(
        "accuracy",
        lambda v: figures.held_out(v.accuracy, v.perplexity),
        9,
        "right",
        rank=0,
        sort="accuracy",
        key="A",
    ),
    Column("requests", lambda v: figures.count(v.requests), 8, "right", rank=4),
    Column(
        "stored",
        lambda v: figures.size(v.stored_bytes),
        7,
        "right",
        rank=5,
        sort="stored_bytes",
        key="S",
    ),
    Column("used", last_used, 5, "right", rank=5, sort="last_used", key="U"),
    Column("labels", lambda v: ", ".join(v.labels), 14, grow=2, rank=6),
    Column("version", lambda v: str(v.version), 9, "right", rank=7, sort="version", key="V"),
    Column("age", lambda v: since(v.created_at), 5, "right", rank=8, sort="created_at", key="C"),
)

ADAPTERS: tuple[Column[Adapter], ...] = (
    Column("sha256", lambda a: a.id, 12, grow=3, sort="id", key="N"),
    Column("bytes", lambda a: figures.size(a.bytes), 8, "right", sort="bytes", key="B"),
    Column("tier", lambda a: tier_cell(a.tier), 6),
    Column("used by", lambda a: used_by(a), 18, grow=2),
    Column("made by", lambda a: a.created_by, 12, grow=1, rank=1, sort="created_by", key="M"),
    Column("rank", lambda a: str(a.rank), 6, "right", rank=2, sort="rank", key="R"),
    Column("labels", lambda a: str(a.labels), 8, "right", rank=3, sort="labels", key="L"),
    Column("age", lambda a: since(a.created_at), 5, "right", rank=1, sort="created_at", key="C"),
)

JOBS: tuple[Column[Job], ...] = (
    at_hand("subject", lambda j: j.subject, 12, "N", lambda j: j.subject, grow=2),
    at_hand("type", lambda j: j.type, 7, "T", lambda j: j.type, rank=1),
    at_hand("state", job_cell, 11, "S", lambda j: j.state),
    at_hand("accuracy", outcome, 9, "A", last_accuracy, align="right", rank=2),
    at_hand(
        "age",
        lambda j: since(j.created_at),
        5,
        "C",
        lambda j: j.created_at,
        align="right",
        rank=3,
    ),
)


def _epoch_column(
    title: str,
    cell: Callable[[DomainEpoch], Cell],
    width: int,
    key: str,
    by: Callable[[DomainEpoch], Any],
) -> Column[DomainEpoch]:
    return at_hand(title, cell, width, key, by, align="right")


EPOCHS: tuple[Column[DomainEpoch], ...] = (
    _epoch_column("epoch", lambda e: str(e.epoch), 5, "E", lambda e: e.epoch),
    _epoch_column("entries", lambda e: figures.count(e.entries), 9, "N", lambda e: e.entries),
    _epoch_column("bytes", lambda e: figures.size(e.bytes), 8, "B", lambda e: e.bytes),
    _epoch_column("alpha", lambda e: f"{e.alpha:g}", 5, "A", lambda e: e.alpha),
    _epoch_column("covered", lambda e: figures.share(e.coverage, 1), 8, "V", lambda e: e.coverage),
    _epoch_column("hit rate", lambda e: figures.share(e.hit_rate, 1), 9, "H", lambda e: e.hit_rate),
    _epoch_column("age", lambda e: since(e.published_at), 5, "C", lambda e: e.published_at),
    Column("state", lambda e: "serves" if e.replaced_at is None else "replaced", 8, grow=1),
)

VERSIONS: tuple[Column[VplmVersion], ...] = (
    at_hand("version", lambda v: str(v.version), 7, "V", lambda v: v.version, align="right"),
    at_hand(
        "accuracy",
        lambda v: figures.held_out(v.accuracy, v.perplexity),
        9,
        "A",
        lambda v: v.accuracy,
        align="right",
    ),
    at_hand("age", lambda v: since(v.published_at), 5, "C", lambda v: v.published_at),
    Column("by", lambda v: v.origin, 9),
    Column("from", lambda v: v.source, 12, grow=2, rank=1),
    Column("size", lambda v: figures.size(v.bytes), 8, "right", rank=2),
    Column("state", lambda v: ("serves", "good") if v.serving else "kept", 7, grow=1),
)

NGRAMS: tuple[Column[NgramEntry], ...] = (
    at_hand("n-gram", lambda n: n.text, 14, "N", lambda n: n.text, grow=2),
    at_hand("hits", lambda n: figures.count(n.hits), 9, "H", lambda n: n.hits, align="right"),
    at_hand(
        "in corpus",
        lambda n: figures.count(n.count),
        10,
        "C",
        lambda n: n.count,
        align="right",
        rank=2,
    ),
    at_hand("row of", lambda n: n.source, 9, "R", lambda n: n.source, grow=1, rank=1),
)


def used_by(adapter: Adapter) -> Cell:
    if not adapter.users:
        return "nobody", "muted"
    more = f" +{len(adapter.users) - 1}" if len(adapter.users) > 1 else ""
    return adapter.users[0] + more
