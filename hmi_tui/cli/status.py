"""`hmi status`: the engine at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect
from hmi_tui.cli.output import percent, readable, record, show
from hmi_tui.figures import seconds, size

if TYPE_CHECKING:
    from engine.schema import BackboneStatus, DeviceStatus, Status


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
    yield "device", _device(status.device)
    memory = f"engine {size(host.engine_bytes)} of {size(host.total_bytes)}"
    threads = f"{host.threads} threads on {host.cores} cores"
    yield "host", f"{memory}, {threads}, {size(host.disk_free_bytes)} disk free"
    for name, tier in status.tiers.items():
        counts = f"{tier.hits} hits, {tier.misses} misses, {tier.evictions} evictions"
        yield f"tier {name}", f"{tier.resident} adapters, {size(tier.bytes)}, {counts}"
    yield "queue", f"{status.queue.depth} requests, {status.queue.tokens} tokens"
    flow = f"{rates.requests_per_s:.1f} requests/s, {rates.tokens_per_s:.0f} tokens/s"
    latency = f"p50 {seconds(rates.p50_s)}, p99 {seconds(rates.p99_s)}"
    yield "rates", f"{flow}, {latency}, {rates.errors_per_s:.1f} errors/s"
    yield "holds", f"{status.tenants} tenants, {status.vplms} vPLMs, {len(status.domains)} domains"
    yield "table hits", percent(rates.hit_rate)
    for job in status.jobs:
        yield "job", f"{job.id} {job.type} {job.subject} {job.state} {job.progress:.0%}"
    for problem in status.problems:
        yield "problem", f"{problem.what} {problem.remedy}"


def _backbone(backbone: BackboneStatus) -> str:
    depth = f"{backbone.layers} layers, the lower {backbone.split} from tables"
    return f"{backbone.name}, {depth}, {backbone.dtype}, {size(backbone.bytes)}"


def _device(device: DeviceStatus) -> str:
    parts = [device.name or device.kind]
    if device.note:
        parts.append(device.note)
    if device.total_bytes is not None:
        parts.append(f"{size(device.used_bytes)} of {size(device.total_bytes)} used")
    if device.utilisation is not None:
        parts.append(f"{device.utilisation:.0%} busy")
    return ", ".join(parts)
