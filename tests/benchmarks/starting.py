"""How long an engine takes from its command to being ready, against an earlier checkout's.

    git worktree add /tmp/before COMMIT
    python -m tests.benchmarks.starting --before /tmp/before

Both are started in turn, each on a new home of its own, `--rounds` times; neither asks anything of
the disk but what it has read before. Seconds until ready, seconds of CPU until then, and MiB
resident then; medians, and the ratio.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from engine.bench.about import about_run
from engine.bench.own_engine import own_engine

HERE = Path(__file__).parents[2]


class Start(NamedTuple):
    ready_s: float
    cpu_s: float
    resident_mib: float


@click.command()
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="Another checkout.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
def main(before: Path | None, rounds: int, threads: int) -> None:
    click.echo(about_run(threads=threads, seed=0).line())
    sides = {"now": HERE} | ({"before": before.absolute()} if before is not None else {})
    starts: dict[str, list[Start]] = {name: [] for name in sides}
    for name, folder in sides.items():  # What is read for the first time comes from the disk.
        _start(folder, threads)
        click.echo(f"{name} is {folder}")
    for _ in range(rounds):
        for name, folder in sides.items():
            starts[name].append(_start(folder, threads))
    for at, (what, unit) in enumerate((("ready", "s"), ("CPU", "s"), ("resident", "MiB"))):
        medians = {name: statistics.median(s[at] for s in found) for name, found in starts.items()}
        told = ", ".join(f"{name} {median:.2f} {unit}" for name, median in medians.items())
        ratio = f", {medians['now'] / medians['before']:.2f} times" if "before" in medians else ""
        click.echo(f"{what}: {told}{ratio}")


def _start(folder: Path, threads: int) -> Start:
    with tempfile.TemporaryDirectory(prefix="hmi-starting-") as home, _code_of(folder):
        with own_engine(Path(home), ("--threads", str(threads))) as engine:
            used = engine.consumed()
        return Start(engine.started_s, used.cpu_s, used.resident_bytes / (1 << 20))


@contextmanager
def _code_of(folder: Path) -> Iterator[None]:
    os.environ["PYTHONPATH"] = str(folder)
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]


if __name__ == "__main__":
    main()
