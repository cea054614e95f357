"""`hmi size`: what an appliance would need, and what would give first."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import SIZE, Leaf, current_paths, flag

DEVICES = ("cpu", "l4", "h200")


@click.command(cls=Leaf)
@flag("--tenants", type=click.IntRange(1), help="A tenth as many as vPLMs if not given.")
@flag("--vplms", type=click.IntRange(1), default=10_000, show_default=True, help="Of all tenants.")
@flag(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=167.0,
    show_default=True,
    help="Texts a second.",
)
@flag("--tokens", type=click.FloatRange(1), default=24.0, show_default=True, help="Of a text.")
@flag(
    "--hit-rate",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Share of tokens whose row is in a table or in the row cache.",
)
@flag(
    "--device", type=click.Choice(DEVICES), default="cpu", show_default=True, help="What computes."
)
@flag("--rank", type=click.IntRange(1), default=64, show_default=True, help="Of the adapters.")
@flag("--labels", type=click.IntRange(2), default=4, show_default=True, help="Of a vPLM.")
@flag(
    "--popularity",
    type=click.Choice(["uniform", "zipf"]),
    default="uniform",
    show_default=True,
    help="How requests spread over vPLMs.",
)
@flag("--mode", type=click.Choice(["plot", "exact"]), default="plot", help="Of all vPLMs.")
@flag("--zipf-s", type=click.FloatRange(0, 10), default=1.1, show_default=True, help="Exponent.")
@flag(
    "--backbone",
    metavar="NAME|DIR",
    default="bundled",
    show_default=True,
    help="bundled, bert-base, or the folder of a checkpoint.",
)
@flag("--split", type=click.IntRange(1), help="How many of its layers come from tables.")
@flag(
    "--entries", type=click.IntRange(0), default=500_000, show_default=True, help="Of all tables."
)
@flag("--host-cache", type=SIZE, default="2G", show_default=True, help="As of hmi serve.")
@flag("--device-cache", type=SIZE, default="256M", show_default=True, help="As of hmi serve.")
@flag("--table-cache", type=SIZE, default="512M", show_default=True, help="As of hmi serve.")
@flag("--memory", type=SIZE, help="The host's memory (this machine's).")
@flag("--disk", type=SIZE, help="Room on the disk (what is free here).")
@flag("--cores", type=click.IntRange(1), help="The host's cores (this machine's).")
@flag("--calibrate", is_flag=True, help="Measure this machine's CPU first, and keep the figures.")
@flag("--json", "as_json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document.")
def size(calibrate: bool, as_json: bool, **chosen: Any) -> None:
    """Estimate what a load takes, and which limit comes first.

    Needs no running engine. The CPU's figures are measured (--calibrate measures this machine's
    and keeps them beside config.toml, a minute or two); those of GPUs come from data sheets.
    """
    if calibrate:
        become("engine.bench.calibrate", flags=False)
    import json

    from engine.size.demand import Demand, Room
    from engine.size.estimate import estimate
    from engine.size.machines import ACCELERATORS, read_measured
    from engine.size.shapes import find_shape
    from engine.size.table import document, render

    host = read_measured(current_paths().config)
    machine = ACCELERATORS.get(chosen["device"], host)
    shape = find_shape(chosen["backbone"], chosen["split"])
    demand = Demand(
        tenants=chosen["tenants"] or max(1, chosen["vplms"] // 10),
        vplms=chosen["vplms"],
        rate=chosen["rate"],
        tokens=chosen["tokens"],
        hits=chosen["hit_rate"],
        rank=chosen["rank"],
        labels=chosen["labels"],
        popularity=chosen["popularity"],
        zipf_s=chosen["zipf_s"],
        entries=chosen["entries"],
        mode=chosen["mode"],
    )
    room = Room(
        memory=chosen["memory"] or _memory_here(),
        disk=chosen["disk"] or _disk_here(current_paths().data),
        cores=chosen["cores"] or len(os.sched_getaffinity(0)),
        host_cache=chosen["host_cache"],
        device_cache=chosen["device_cache"],
        table_cache=chosen["table_cache"],
    )
    found = estimate(demand, room, shape, machine, host)
    if as_json:
        click.echo(json.dumps(document(demand, room, shape, found, machine, host), indent=2))
    else:
        click.echo(render(demand, shape, found, machine, host))


def _memory_here() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _disk_here(data: Path) -> int:
    """Free beside `data`, or beside the nearest folder above it that is there."""
    there = next(path for path in (data, *data.parents) if path.exists())
    return shutil.disk_usage(there).free
