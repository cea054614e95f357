"""`hmi status`: the engine at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect
from hmi_tui.cli.output import percent, readable, record, show
from hmi_tui.figures import many, seconds, size

if TYPE_CHECKING:
    from engine.schema import (
        BackboneStatus,
        DeviceStatus,
        GeneratorStatus,
        LoadedBackbone,
        Status,
    )


@click.command(cls=Leaf)
@readable
def status() -> None:
    """Show device, memory, tiers, queue and rates.

    Quiet: the engine's pid.
    """
    with connect() as client:
        found = client.status()
    show(found, [str(found.engine.pid)], lambda: record(_lines(found)))


def _lines(status: Status) -> Iterator[tuple[str, str]]:
    engine, host, rates = status.engine, status.host, status.rates
    state = "ready" if engine.ready else f"not ready: {', '.join(engine.reasons)}"
    yield "engine", f"{state}, pid {engine.pid}, up {seconds(engine.uptime_s)}"
    yield "socket", engine.socket
    if status.backbone is not None:
        yield "backbone", _backbone(status.backbone)
    for other in status.backbones:
        if not other.own:
            yield "beside it", _beside(other)
    yield "device", _device(status.device)
    yield from _sharing(status.device)
    memory = f"engine {size(host.engine_bytes)} of {size(host.total_bytes)}"
    threads = f"{host.threads} threads on {host.cores} cores"
    yield "host", f"{memory}, {threads}, {size(host.disk_free_bytes)} disk free"
    if status.generators is not None:
        yield from _generating(status.generators)
    for name, tier in status.tiers.items():
        counts = f"{tier.hits} hits, {tier.misses} misses, {tier.evictions} evictions"
        yield f"tier {name}", f"{many(tier.resident, 'adapter')}, {size(tier.bytes)}, {counts}"
    yield "queue", f"{status.queue.depth} requests, {status.queue.tokens} tokens"
    flow = f"{rates.requests_per_s:.1f} requests/s, {rates.tokens_per_s:.0f} tokens/s"
    latency = f"p50 {seconds(rates.p50_s)}, p99 {seconds(rates.p99_s)}"
    yield "rates", f"{flow}, {latency}, {rates.errors_per_s:.1f} errors/s"
    holds = ((status.tenants, "tenant"), (status.vplms, "vPLM"), (len(status.domains), "domain"))
    yield "holds", ", ".join(many(*each) for each in holds)
    yield "table hits", percent(rates.hit_rate)
    yield "swaps", f"{rates.swaps_per_s:.1f} a second"
    for busy in status.busiest:
        flow = f"{busy.requests_per_s:.1f} requests/s"
        yield "busy", f"{busy.tenant} {flow}, p99 {seconds(busy.p99_s)}"
    for job in status.jobs:
        yield "job", f"{job.id} {job.type} {job.subject} {job.state} {job.progress:.0%}"
    for problem in status.problems:
        yield "problem", f"{problem.what} {problem.remedy}"


def _backbone(backbone: BackboneStatus, *, exact: bool = False) -> str:
    lower = "all computed" if exact else f"the lower {backbone.split} from tables"
    depth = f"{backbone.layers} layers, {lower}"
    return f"{backbone.name}, {depth}, {backbone.dtype}, {size(backbone.bytes)}"


def _beside(other: LoadedBackbone) -> str:
    exact = "" if other.fallback is None else ", exact mode"
    held = size(sum(other.by_owner.values()))
    return f"{other.id}, {many(other.vplms, 'vPLM')}{exact}, {other.waiting} texts wait, {held}"


def _generating(found: GeneratorStatus) -> Iterator[tuple[str, str]]:
    yield "generators", _backbone(found.backbone, exact=found.fallback is not None)
    texts = f"{found.living} texts, {found.waiting} wait ({found.waiting_tokens} tokens)"
    cache = f"{size(found.cache_used_bytes)} of {size(found.cache_bytes)}"
    yield "generating", f"{texts}, {found.tokens_per_s:.0f} tokens/s, cache {cache}"


def _device(device: DeviceStatus) -> str:
    parts = [device.name or device.kind]
    if device.note:
        parts.append(device.note)
    if device.total_bytes is not None:
        parts.append(f"{size(device.used_bytes)} of {size(device.total_bytes)} used")
    if device.utilisation is not None:
        parts.append(f"{device.utilisation:.0%} busy")
    return ", ".join(parts)


def _sharing(device: DeviceStatus) -> Iterator[tuple[str, str]]:
    """What slows the device down, and who else is on it; only what the driver says."""
    if device.sm_mhz is not None:
        clocks = f"SM {_clock(device.sm_mhz, device.sm_max_mhz)}"
        if device.memory_mhz is not None:
            clocks += f", memory {_clock(device.memory_mhz, device.memory_max_mhz)}"
        yield "clocks", clocks
    if device.slowed_by:
        yield "slowed by", ", ".join(device.slowed_by)
    if device.power_w is not None:
        limit = device.power_limit_w
        yield "power", f"{device.power_w:.0f} W" + ("" if limit is None else f" of {limit:.0f} W")
    if device.received_per_s is not None and device.sent_per_s is not None:
        received, sent = size(device.received_per_s), size(device.sent_per_s)
        yield "PCIe", f"{received}/s received, {sent}/s sent"
    if (shared := _shared(device)) is not None:
        yield "shared", shared
    if device.slowdown is not None:
        yield "slowdown", f"batches take {device.slowdown:.2f} times their predicted time"


def _clock(now: int, most: int | None) -> str:
    return f"{now} MHz" if most is None else f"{now} of {most} MHz"


def _shared(device: DeviceStatus) -> str | None:
    """None if nobody knows."""
    ways = [name for name, used in (("MIG", device.mig), ("MPS", device.mps)) if used]
    parts = [f"by {' and '.join(ways)}"] if ways else []
    for other in device.others or ():
        held = "memory unknown" if other.bytes is None else size(other.bytes)
        parts.append(f"{other.name or 'a process'} (pid {other.pid}) {held}")
    if parts:
        return ", ".join(parts)
    return None if device.others is None else "with nobody"
