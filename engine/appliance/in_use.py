"""What the queues and the tiers of all backbones hold together."""

from __future__ import annotations

from engine.appliance.core import Core
from engine.schema import LatencyStatus, QueueStatus, TenantQueue, Tier, TierStatus
from engine.serving.scheduler import LineUse

BUSIEST = 5
"""Tenants whose queues, or whose traffic, are shown."""


def queue_of(core: Core) -> QueueStatus:
    """Of all backbones together; the latency model is that of the engine's own."""
    queues = [stack.queue for stack in core.backbones.loaded()]
    sizes = [queue.size() for queue in queues]
    report = core.queue.report()
    return QueueStatus(
        depth=sum(texts for texts, _ in sizes),
        tokens=sum(tokens for _, tokens in sizes),
        limit_tokens=sum(queue.limit_tokens for queue in queues),
        busiest=_by_tenant([line for queue in queues for line in queue.busiest(BUSIEST)]),
        latency=LatencyStatus(
            batches=report.batches, error=report.error, coefficients=dict(report.coefficients)
        ),
        slo_ms=core.settings.slo_ms,
        refused=dict(core.refused),
    )


def _by_tenant(lines: list[LineUse]) -> list[TenantQueue]:
    """A tenant may have a line in each queue."""
    by_tenant: dict[str, TenantQueue] = {}
    for line in lines:
        before = by_tenant.get(line.tenant)
        by_tenant[line.tenant] = TenantQueue(
            tenant=line.tenant,
            texts=line.texts + (0 if before is None else before.texts),
            tokens=line.tokens + (0 if before is None else before.tokens),
            oldest_s=max(line.oldest, 0.0 if before is None else before.oldest_s),
        )
    return sorted(by_tenant.values(), key=lambda each: -each.tokens)[:BUSIEST]


def tiers_of(core: Core) -> dict[Tier, TierStatus]:
    adapters = core.catalogue.adapters
    uses = core.backbones.use()
    host = uses["host"].counters
    tiers: dict[Tier, TierStatus] = {
        # What the host tier misses is read from disk, which has everything.
        "disk": TierStatus(
            resident=adapters.count(),
            bytes=adapters.total_bytes(),
            budget_bytes=None,
            hits=host.misses,
            misses=0,
            evictions=0,
            bytes_moved=0,
            seconds=0.0,
        )
    }
    for name, use in uses.items():
        counters = use.counters
        tiers[name] = TierStatus(
            resident=use.resident,
            bytes=use.bytes,
            budget_bytes=use.budget,
            hits=counters.hits,
            misses=counters.misses,
            evictions=counters.evictions,
            bytes_moved=counters.bytes_moved,
            seconds=counters.seconds,
            prefetched=counters.prefetched,
            prefetched_used=counters.prefetched_used,
            cancelled=counters.cancelled,
            waiting=counters.waiting,
            held=use.held,
        )
    return tiers
