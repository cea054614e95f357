"""How long it takes to make many vPLMs, whether the last takes longer than the first, and what an
engine that has them takes to start and to say how it is.

    python -m tests.benchmarks.registering --count 10000 --tenants 1000

Every vPLM gets random parameters of its own, on disk before its call returns. The calls are those
of the API without HTTP; --one makes all of them in one call for one tenant, and --generators as
many generators beside them, of which some say their first token after the restart.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

import click

from engine.appliance import Appliance
from engine.bench.about import about_run
from engine.bench.table import table
from engine.config import Paths, Settings
from engine.process import leave_settled_objects
from engine.schema import CompletionRequest, TenantCreate, VplmBulkCreate

LABELS = ("a", "b", "c", "d")
STEP = 1000
_ASKED = 20


@contextmanager
def opened(folder: Path) -> Iterator[Appliance]:
    """A started engine with its files in `folder`."""
    appliance = Appliance(Settings(Paths.find(folder, folder / "engine.sock"), device="cpu"))
    appliance.start()
    leave_settled_objects()
    try:
        yield appliance
    finally:
        appliance.close()


Mark = tuple[float, float]
"""An instant, and the seconds of CPU that the process had taken by then."""


def mark() -> Mark:
    return time.perf_counter(), time.process_time()


def register(
    appliance: Appliance, count: int, tenants: int, rank: int, generators: bool
) -> list[Mark]:
    """Make `count` vPLMs evenly for `tenants` tenants, and as many generators if they are wanted; a
    mark after each tenant."""
    names = [f"tenant-{i:05d}" for i in range(tenants)]
    for name in names:
        appliance.create_tenant(TenantCreate(name=name))
    done = [mark()]
    for name in names:
        appliance.create_vplms(
            VplmBulkCreate(
                tenant=name, name="m", count=count // tenants, labels=list(LABELS), rank=rank
            )
        )
        if generators:
            appliance.create_vplms(
                VplmBulkCreate(
                    tenant=name, name="g", count=count // tenants, kind="generator", rank=rank
                )
            )
        done.append(mark())
    return done


def restart(folder: Path, generators: list[str]) -> list[tuple[str, float]]:
    """Start an engine on what is in `folder`; seconds by phase, of the status, and of the first
    token of each of `generators`."""
    marks = [("", time.perf_counter())]

    class Watched(Appliance):
        """Notes when each phase begins."""

        def __setattr__(self, name: str, value: object) -> None:
            if name == "_phase":
                marks.append((str(value), time.perf_counter()))
            super().__setattr__(name, value)

    appliance = Watched(Settings(Paths.find(folder, folder / "engine.sock"), device="cpu"))
    appliance.start()
    marks.append(("", time.perf_counter()))
    try:
        phases = [(name, end - at) for (name, at), (_, end) in pairwise(marks) if name]
        page = partial(appliance.vplms, "", None, None, 1000, None)
        found = [
            *phases,
            ("one status", _seconds_of(appliance.status)),
            ("one page of 1,000 vPLMs", _seconds_of(page)),
        ]
        if generators:
            first = [_first_token(appliance, each) for each in generators]
            found += [
                ("first token of all", first[0]),
                ("first token of a generator, median", median(first[1:])),
                ("first token of a generator, longest", max(first[1:])),
            ]
        return found
    finally:
        appliance.close()


def _first_token(appliance: Appliance, vplm: str) -> float:
    """Of one that nobody has asked yet: its adapter comes from the disk."""
    request = CompletionRequest(model=vplm, prompt="Once upon a time", max_tokens=1)
    began = time.perf_counter()
    asyncio.run(appliance.complete(request))
    return time.perf_counter() - began


def _seconds_of(call: Callable[[], object]) -> float:
    took: list[float] = []
    for _ in range(_ASKED):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return median(took)


@click.command()
@click.option("--count", type=int, default=10_000, show_default=True)
@click.option("--tenants", type=int, default=1000, show_default=True)
@click.option("--rank", type=int, default=64, show_default=True)
@click.option("--one", is_flag=True, help="One call for one tenant.")
@click.option("--generators", is_flag=True, help="As many generators beside them.")
@click.option("--where", type=click.Path(path_type=Path), help="A folder on the disk to measure.")
def main(
    count: int, tenants: int, rank: int, one: bool, generators: bool, where: Path | None
) -> None:
    """Seconds for each thousand, for a restart by phase, and for a status."""
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        with opened(folder) as appliance:
            tenants = 1 if one else tenants
            done = register(appliance, count, tenants, rank, generators)
        each = count // tenants
        asked = [i * each * tenants // _ASKED for i in range(_ASKED if generators else 0)]
        started = restart(folder, [f"tenant-{i // each:05d}/g-{i % each + 1:05d}" for i in asked])
    click.echo(about_run(threads=1, seed=0).line() + "\n")
    seconds, worked = (end - begin for begin, end in zip(done[0], done[-1], strict=True))
    kinds = f"{count:,} classifiers and as many generators" if generators else f"{count:,} vPLMs"
    click.echo(f"{kinds} in {seconds:.1f} s, {worked:.1f} s of CPU")
    if not one:
        marks = done[:: max(1, STEP * tenants // count)]
        rows = [
            (f"{i * STEP + STEP:,}", f"{end[0] - begin[0]:.2f}", f"{end[1] - begin[1]:.2f}")
            for i, (begin, end) in enumerate(pairwise(marks))
        ]
        click.echo(table((">UP TO", ">SECONDS", ">CPU"), rows) + "\n")
    click.echo(table(("RESTART", ">SECONDS"), [(what, f"{s:.3f}") for what, s in started]))


if __name__ == "__main__":
    main()
