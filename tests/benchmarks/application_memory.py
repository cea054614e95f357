"""Whether the application's memory stays flat while somebody lives in it.

    python -m tests.benchmarks.application_memory --minutes 10

`hmi` runs in a real pty on the scripted engine, whose figures change at every read and whose
batches come five a second; a line a second goes into the log. Mode after mode is opened, in each a
few things are done, and the memory that is the process's own (USS) is read at every step. Growth is
that of the last third: before, modes are imported when they are first opened, and what is kept by
design fills up (curves, batches, log lines, Textual's caches of drawn lines), which takes some six
minutes.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, mean

import click

from engine.bench.about import about_run
from engine.client import Paths
from hmi_tui.signals import orderly_end
from tests.benchmarks.application import engine_on
from tests.benchmarks.terminal import Terminal, terminal

SIZE = (160, 50)
MIB = 1 << 20
DWELL_S = 0.8
"""Between two keys."""
WARM = 2 / 3
"""Share of the time that counts as warming up."""
DOWN, UP, PAGE_DOWN, ESCAPE = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b"

DONE_IN: Mapping[str, Sequence[str]] = {
    "1": (DOWN, UP, "?", ESCAPE),
    "2": (DOWN, "\t", PAGE_DOWN, "d", ESCAPE, "A", "/", "7", ESCAPE, UP),
    "3": (DOWN, DOWN, UP, "d", ESCAPE),
    "4": (PAGE_DOWN, "d", ESCAPE, "B"),
    "5": (DOWN, " ", UP, "d", ESCAPE),
    "6": ("a", "film", "\r", ESCAPE),
    "7": ("+", "+", UP, UP, "\r", ESCAPE, ESCAPE, "-", "-", "\x1b[F", "\t", "\r", ESCAPE, "\x1b[Z"),
    "8": (DOWN, UP),
    "9": (UP, PAGE_DOWN, "\x1b[F"),
}
"""The keys pressed in each mode, by its digit."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    """Seconds since the first figures were seen."""
    bytes: int


@contextmanager
def growing_log(path: Path) -> Iterator[None]:
    """A log as an engine writes it, a line a second, until the end of the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    over = threading.Event()

    def write() -> None:
        number = 0
        with path.open("a", encoding="utf-8") as log:
            while not over.wait(1.0):
                number += 1
                when = time.strftime("%Y-%m-%d %H:%M:%S")
                log.write(f"{when},000 INFO engine.appliance: line {number} of the log\n")
                log.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


def live_in(one: Terminal, seconds: float) -> list[Sample]:
    """Go from mode to mode for so long; the memory at every step."""
    one.wait_for("req/s")
    began = time.perf_counter()
    samples: list[Sample] = []
    while True:
        for mode, keys in DONE_IN.items():
            for key in (mode, *keys, ESCAPE):
                if time.perf_counter() - began > seconds:
                    return samples
                one.write(key)
                one.drain(DWELL_S)
                uss = one.process.memory_full_info().uss
                samples.append(Sample(time.perf_counter() - began, uss))


def curve(samples: Sequence[Sample], rows: int = 20) -> str:
    """A line for each stretch of time: until when, the mean, and a bar over the lowest."""
    last, least = samples[-1].at, min(sample.bytes for sample in samples)
    most = max(sample.bytes for sample in samples)
    lines = []
    for row in range(rows):
        span = (last * row / rows, last * (row + 1) / rows)
        here = [sample.bytes for sample in samples if span[0] <= sample.at <= span[1]]
        if here:
            bar = "█" * round(1 + 39 * (mean(here) - least) / max(1, most - least))
            lines.append(f"{span[1] / 60:6.1f} min  {mean(here) / MIB:7.2f} MiB  {bar}")
    return "\n".join(lines)


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--vplms", type=int, default=10_000, show_default=True)
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the samples here.")
def main(minutes: float, vplms: int, out: Path | None) -> None:
    """The application's memory over time, going from mode to mode."""
    with (
        orderly_end(),
        tempfile.TemporaryDirectory(prefix="hmi") as name,
        engine_on(Path(name), vplms, live=True) as environment,
        growing_log(Paths.find(Path(name)).log),
        terminal([], SIZE, environment) as one,
    ):
        samples = live_in(one, 60 * minutes)
    warm = [sample for sample in samples if sample.at >= WARM * samples[-1].at]
    slope, _ = linear_regression([one.at for one in warm], [one.bytes for one in warm])
    click.echo(about_run(threads=1, seed=0).line() + f", {vplms:,} vPLMs, {SIZE[0]} x {SIZE[1]}\n")
    click.echo(curve(samples))
    click.echo(
        f"\n{len(samples):,} steps; in the last third of the time memory grew by "
        f"{slope * 3600 / MIB:+.2f} MiB an hour (least squares), "
        f"from {warm[0].bytes / MIB:.2f} to {warm[-1].bytes / MIB:.2f} MiB."
    )
    if out is not None:
        out.write_text(json.dumps([[sample.at, sample.bytes] for sample in samples]))


if __name__ == "__main__":
    main()
