"""Command lines of what is measured on a whole engine, in a home of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.bench.command import bench, measurement, publish, say
from engine.bench.document import check_writable
from engine.bench.ground import Ground, on_engine
from engine.bench.options import COUNTS, FILE, NAMES, SHARES, SIZE, common, flag, on_texts
from engine.bench.subject import Subject

__all__ = ["bench"]


@bench.command()
@flag("--tenants", type=click.IntRange(1), default=1000, help="Tenants to make.")
@flag("--vplms-per-tenant", type=click.IntRange(1), default=10, help="vPLMs of each.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of their adapters.")
@flag("--labels", type=click.IntRange(2), default=4, help="What each tells apart.")
@flag("--rate", type=click.FloatRange(0, min_open=True), default=167.0, help="Requests a second.")
@flag("--duration", type=click.FloatRange(1), default=600.0, help="Seconds of it.")
@flag("--popularity", type=click.Choice(["uniform", "zipf"]), default="uniform", help="Of vPLMs.")
@flag("--slo-ms", type=click.FloatRange(0, min_open=True), default=500.0, help="Bound to report.")
@flag(
    "--find",
    "find_ms",
    type=click.FloatRange(0, min_open=True),
    metavar="P99_MS",
    help="Then search the highest rate whose p99 stays within it.",
)
@flag("--step", type=click.FloatRange(1), default=30.0, help="Seconds at each rate of that.")
@flag("--host-cache", type=SIZE, default="2G", help="The engine's.")
@flag("--device-cache", type=SIZE, default="256M", help="The engine's.")
@on_engine
@common
@measurement
def load(
    tenants: int,
    vplms_per_tenant: int,
    rank: int,
    labels: int,
    ground: Ground,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """The reference load: every vPLM asked once a minute, in an engine and a home of its own.

    What is created, restarted and loaded goes when the measurement ends.
    """
    from engine.bench.population import Population
    from engine.bench.reference import LoadPlan, run_reference

    population = Population(tenants, vplms_per_tenant, rank, labels)
    plan = LoadPlan(population, serve=ground.serve, **choices)
    document, text = run_reference(plan, ground.sources(), ground.cores, say)
    publish(document, text, out=out, as_json=as_json)


@bench.command()
@flag("--counts", type=COUNTS, default="100,1000,10000", help="vPLMs to register.")
@flag("--shares", type=SHARES, default="0.05,0.2,0.5,1", help="Slots, of the vPLMs asked.")
@flag("--popularities", type=NAMES, default="uniform,zipf", help="Of vPLMs.")
@flag("--asked", type=click.IntRange(1), default=1000, help="At most so many are asked.")
@flag("--clients", type=click.IntRange(1), default=64, help="Programs that ask at once.")
@flag("--seconds", type=click.FloatRange(1), default=15.0, help="Of each run.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of their adapters.")
@flag("--host-cache", type=SIZE, default="2G", help="The engine's.")
@flag("--chart", type=FILE, metavar="FILE", help="Draw the curve here, as SVG.")
@on_engine
@common
@measurement
def scale(
    ground: Ground,
    chart: Path | None,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Throughput and p99 as the number of vPLMs grows and the share that has a slot shrinks.

    With --out every run is kept as soon as it is there.
    """
    from engine.bench.scale import ScalePlan, run_scale

    if chart is not None:
        check_writable(chart)
    document, text, picture = run_scale(
        ScalePlan(serve=ground.serve, **choices), ground.sources(), ground.cores, out, say
    )
    if chart is not None:
        chart.write_text(picture, encoding="utf-8")
    publish(document, text, out=out, as_json=as_json)


@bench.command()
@flag("--vplms", type=click.IntRange(8), default=256, help="vPLMs to ask, in turn.")
@flag("--clients", type=click.IntRange(1), default=64, help="Programs that ask at once.")
@flag("--texts", type=click.IntRange(1), default=2000, help="Texts a round.")
@flag("--rounds", type=click.IntRange(1), default=3, help="Of every engine that is compared.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of their adapters.")
@flag("--labels", type=click.IntRange(2), default=4, help="What each tells apart.")
@on_texts
@common
@measurement
def pipeline(subject: Subject, out: Path | None, as_json: bool, **choices: Any) -> None:
    """Stages that overlap against stages in turn; adapters on the device, the host and the disk.

    Needs one dataset; of several the first is taken.
    """
    from engine.bench.overlap import OverlapPlan, run_overlap

    document, text = run_overlap(subject, OverlapPlan(**choices), say)
    publish(document, text, out=out, as_json=as_json)
