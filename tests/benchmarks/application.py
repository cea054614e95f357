"""How soon the application is there, how soon it answers a key, and what it costs to leave open.

    python -m tests.benchmarks.application --vplms 10000
    python -m tests.benchmarks.application --home DIR       # beside a real engine and its load

`hmi` runs in a real pty on the scripted engine behind a real socket, so that only the application
is measured. With --home it runs on the engine of that home, which shares the machine with it, and
with whatever load it is under; the list is then the store's adapters. First paint counts from the
command's start to the first line of the modes; a key from its writing to the list's new position
in what the terminal gets. Where others use the machine the seconds of CPU say more than the
wall's; those of a key are the application's alone, until it has come to rest again. It takes less
than two minutes.

Idle is looked at once its curves are full, for even those of an engine that nobody asks grow. It
fills them while the live screens are watched: that counts the seconds of CPU of each process alone.

Killed or timed out it leaves nothing behind: the application ends with its terminal, the scripted
engine with its stdin.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles

import click

from engine.bench.about import about_run
from engine.bench.table import table
from hmi_tui.signals import orderly_end
from tests.benchmarks.terminal import Terminal, terminal

SIZE = (160, 50)
MODES_ARE_THERE = "Overview"
FIGURES_ARE_THERE = r"req/s"
DOWN, PAGE_DOWN, PAGE_UP = "\x1b[B", "\x1b[6~", "\x1b[5~"
CURVES_ARE_FULL_S = 55.0

WALK = (*[DOWN] * 6, PAGE_DOWN, PAGE_DOWN, DOWN, PAGE_UP)
AT_REST_S = 0.1
"""From a key's answer until all that it led to is done."""
GOALS = {"first paint": 1.0, "key, p95": 0.050, "idle": 0.03, "live": 0.10}


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key, the seconds until its answer was there, and what it took of the CPU."""

    key: str
    seconds: float
    cpu_s: float


@contextmanager
def engine_on(folder: Path, vplms: int, *, live: bool) -> Iterator[dict[str, str]]:
    """A scripted engine in a process of its own; the environment that leads `hmi` to it."""
    socket = folder / "engine.sock"
    command = [sys.executable, "-m", "tests.benchmarks.scripted_server", str(socket)]
    command += ["--vplms", str(vplms), "--live" if live else "--still"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            while not socket.exists():
                if process.poll() is not None:
                    raise click.ClickException("The scripted engine did not start.")
                time.sleep(0.05)
            yield environment_of(folder)
        finally:
            process.terminate()


def environment_of(home: Path) -> dict[str, str]:
    """What leads `hmi` to the engine of that home."""
    return {"HMI_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def first_paints(environment: dict[str, str], times: int) -> list[tuple[float, float, float]]:
    """Seconds to the first paint and to the first figures, and of CPU to the former."""
    found = []
    for _ in range(times + 1):
        with terminal([], SIZE, environment) as one:
            painted, _ = one.wait_for(MODES_ARE_THERE)
            cpu = one.cpu_s()
            told, _ = one.wait_for(FIGURES_ARE_THERE)
            found.append((painted - one.began, told - one.began, cpu))
    return found[1:]  # the first reads the files from the disk


def keys_pressed(environment: dict[str, str], keys: int, mode: str, into: str) -> list[Pressed]:
    """Keys in the longest list of `mode`, each until its new position was written.

    `into` is what is typed to get into that list.
    """
    with terminal([], SIZE, environment) as one:
        one.wait_for(FIGURES_ARE_THERE)
        one.write(mode)
        total = one.wait_for(r"1 of (\d+,\d+)")[1][1]
        one.drain(1.0)
        one.write(into)
        one.drain(1.0)
        return [_press(one, WALK[n % len(WALK)], total, n) for n in range(keys)]


def _press(one: Terminal, key: str, total: str, number: int) -> Pressed:
    one.drain(0.05 + 0.013 * (number % 7))  # at no fixed distance to the application's ticks
    before = one.cpu_s()
    at = one.write(key)
    seen, _ = one.wait_for(rf"[\d,]+ of {total}", 5.0)
    one.drain(AT_REST_S)
    return Pressed(key, seen - at, one.cpu_s() - before)


def cpu_share(
    environment: dict[str, str], seconds: float, keys: str = "", after: float = 3.0
) -> float:
    """Share of one core that the application takes when it is only looked at."""
    with terminal([], SIZE, environment) as one:
        one.wait_for(FIGURES_ARE_THERE)
        if keys:
            one.write(keys)
        one.drain(after)
        return share_of(one, seconds)


def share_of(one: Terminal, seconds: float) -> float:
    """Share of one core that it takes in so many seconds."""
    cpu, began = one.cpu_s(), time.perf_counter()
    one.drain(seconds)
    return (one.cpu_s() - cpu) / (time.perf_counter() - began)


@contextmanager
def filled(one: Terminal) -> Iterator[None]:
    """By the end of the block its curves are as long as they get."""
    one.wait_for(FIGURES_ARE_THERE)
    reader = threading.Thread(target=one.drain, args=(CURVES_ARE_FULL_S,))
    reader.start()
    try:
        yield
    finally:
        reader.join()


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hmi")))


@click.command()
@click.option("--home", type=click.Path(exists=True, path_type=Path), help="Of a running engine.")
@click.option("--vplms", type=int, default=10_000, show_default=True, help="Without --home.")
@click.option("--times", type=int, default=5, show_default=True, help="Starts.")
@click.option("--keys", type=int, default=200, show_default=True)
@click.option("--seconds", type=float, default=15.0, show_default=True, help="Of each watching.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the figures here.")
def main(
    home: Path | None, vplms: int, times: int, keys: int, seconds: float, out: Path | None
) -> None:
    """First paint, input to repaint, and CPU while nothing is done."""
    with orderly_end(), ExitStack() as stack:
        if home is None:
            live_one, still_one = (
                stack.enter_context(engine_on(_folder(stack), vplms, live=live))
                for live in (True, False)
            )
            with terminal([], SIZE, still_one) as idle_one:
                with filled(idle_one):
                    figures = live_shares(live_one, seconds)
                figures["idle_share"] = share_of(idle_one, seconds)
            figures |= paints_and_keys(live_one, times, keys, "2", "\t")
        else:
            live_one = environment_of(home)
            figures = live_shares(live_one, seconds)
            figures |= paints_and_keys(live_one, times, keys, "4", "")
    of = f"{vplms:,} vPLMs" if home is None else "a real engine under its load"
    click.echo(about_run(threads=1, seed=0).line() + f", {of}, {SIZE[0]} x {SIZE[1]}\n")
    click.echo(table(("WHAT", ">FOUND", ">GOAL"), _rows(figures)))
    if out is not None:
        out.write_text(json.dumps(figures, indent=2))


def live_shares(environment: dict[str, str], seconds: float) -> dict[str, float]:
    """Shares of a core that live screens take."""
    return {
        "live_overview_share": cpu_share(environment, seconds),
        "live_tenants_share": cpu_share(environment, seconds, "2"),
    }


def paints_and_keys(
    environment: dict[str, str], times: int, keys: int, mode: str, into: str
) -> dict[str, float]:
    """How soon it is there, and how soon it answers."""
    paints = first_paints(environment, times)
    pressed = keys_pressed(environment, keys, mode, into)
    latencies = [one.seconds for one in pressed]
    painted, told, cpu = (median(column) for column in zip(*paints, strict=True))
    return {
        "first_paint_s": painted,
        "first_paint_cpu_s": cpu,
        "first_figures_s": told,
        "key_p50_s": median(latencies),
        "key_p95_s": quantiles(latencies, n=100)[94],
        # Medians leave out the ticks that fall into the time of one key in five.
        "step_cpu_s": median(one.cpu_s for one in pressed if one.key == DOWN),
        "page_cpu_s": median(one.cpu_s for one in pressed if one.key != DOWN),
        "key_cpu_s": mean(one.cpu_s for one in pressed),
    }


def _rows(figures: dict[str, float]) -> Sequence[tuple[str, str, str]]:
    at = figures.__getitem__
    rows = [
        ("first paint", f"{at('first_paint_s'):.2f} s", f"{GOALS['first paint']:.1f} s"),
        ("  of which CPU", f"{at('first_paint_cpu_s'):.2f} s", ""),
        ("first figures", f"{at('first_figures_s'):.2f} s", ""),
        ("key to repaint, p50", f"{1e3 * at('key_p50_s'):.0f} ms", ""),
        ("key to repaint, p95", f"{1e3 * at('key_p95_s'):.0f} ms", "50 ms"),
        ("  of CPU, a step", f"{1e3 * at('step_cpu_s'):.1f} ms", ""),
        ("  of CPU, a page", f"{1e3 * at('page_cpu_s'):.1f} ms", ""),
        ("  of CPU, mean with ticks", f"{1e3 * at('key_cpu_s'):.1f} ms", ""),
        ("live overview", f"{at('live_overview_share'):.1%} of a core", f"{GOALS['live']:.0%}"),
        ("live list", f"{at('live_tenants_share'):.1%} of a core", f"{GOALS['live']:.0%}"),
    ]
    if "idle_share" in figures:
        rows.append(("idle overview", f"{at('idle_share'):.1%} of a core", f"{GOALS['idle']:.0%}"))
    return rows


if __name__ == "__main__":
    main()
