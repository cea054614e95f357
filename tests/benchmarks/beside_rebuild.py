"""What rebuilding a domain does to those who are served meanwhile, with the corpus tokenised by the
tokenizers' own team of threads, as before, and in the job's own thread, which has a low priority.

    python -m tests.benchmarks.beside_rebuild --home DIR --text FILE --domain news --rate 100

The engine is started afresh for each turn, the two sides by turns, on a home whose vPLMs are there
already; in each turn the same load runs alone, and then beside one rebuild after the other.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from statistics import median

import click
import psutil

from engine.bench.table import table
from engine.client import Client, Paths
from engine.schema import RebuildRequest
from hmi_tui.engine_process import start_engine, stop_engine
from tests.benchmarks.soak import START_S, Window, load_window

SIDES = {"a team": "true", "the job's thread": "false"}
"""TOKENIZERS_PARALLELISM of the engine."""
WARM_S = 20.0


class Rebuilds:
    """One after the other, until it is over; the last is cancelled."""

    def __init__(self, paths: Paths, domain: str) -> None:
        self._paths, self._domain = paths, domain
        self._over = threading.Event()
        self.took: list[float] = []
        """Seconds of each that ended."""

    @contextmanager
    def going_on(self) -> Iterator[None]:
        thread = threading.Thread(target=self._again_and_again)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _again_and_again(self) -> None:
        with Client(paths=self._paths, timeout=60) as client:
            while not self._over.is_set():
                job = client.rebuild_domain(self._domain, RebuildRequest())
                for news in client.watch_job(job.id):
                    assert news.state != "failed", news.error
                    if news.state == "succeeded":
                        self.took.append(float(news.result["seconds"]))
                    if self._over.is_set() and not news.ended:
                        client.cancel_job(job.id)


def turn(
    paths: Paths, domain: str, flags: list[str], seconds: float, serve: tuple[str, ...]
) -> tuple[Window, Window, list[float]]:
    """The load alone, the load beside rebuilds, and how long these took."""
    start_engine(paths, serve, START_S)
    try:
        with Client(paths=paths, timeout=60) as client:
            status = client.status()
        process = psutil.Process(status.engine.pid)
        load_window(paths, process, flags, WARM_S, 0)
        alone = load_window(paths, process, flags, seconds, 1)
        rebuilds = Rebuilds(paths, domain)
        with rebuilds.going_on():
            beside = load_window(paths, process, flags, seconds, 2)
        return alone, beside, rebuilds.took
    finally:
        stop_engine(paths, kill=True)


@click.command()
@click.option("--home", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--text", type=click.Path(path_type=Path, exists=True), help="A text a line.")
@click.option("--domain", default="news", show_default=True, help="Rebuilt; it has a corpus.")
@click.option("--rate", type=float, default=100.0, show_default=True)
@click.option("--tenants", type=click.IntRange(1), default=1000, show_default=True, help="Asked.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--turns", type=click.IntRange(1), default=2, show_default=True)
@click.option("--serve", multiple=True, help="A further word of `hmi serve`, such as --threads=1.")
def main(
    home: Path,
    text: Path | None,
    domain: str,
    rate: float,
    tenants: int,
    seconds: float,
    turns: int,
    serve: tuple[str, ...],
) -> None:
    """Medians of the turns; all of them on stderr."""
    paths = Paths.find(home, home / "engine.sock")
    flags = ["--rate", str(rate), "--tenants", str(tenants)]
    flags += [] if text is None else ["--text", str(text)]
    found: dict[str, list[tuple[Window, Window, list[float]]]] = {side: [] for side in SIDES}
    for side in chain.from_iterable([SIDES] * turns):
        os.environ["TOKENIZERS_PARALLELISM"] = SIDES[side]
        found[side].append(turn(paths, domain, flags, seconds, serve))
        alone, beside, took = found[side][-1]
        told: dict[str, object] = {"alone": asdict(alone), "beside": asdict(beside), "took": took}
        click.echo(json.dumps({side: told}), err=True)
    head = ["tokenised by", "p50 alone", "p99 alone", "p50 beside", "p99 beside", "failed"]
    rows = []
    for side, seen in found.items():
        windows = list(zip(*[one[:2] for one in seen], strict=True))
        cells = [
            f"{1e3 * median(getattr(window, which) for window in these):.0f} ms"
            for these in windows
            for which in ("p50_s", "p99_s")
        ]
        failed = sum(sum(window.errors.values()) for these in windows for window in these)
        took = [seconds for one in seen for seconds in one[2]]
        rows.append([side, *cells, str(failed), f"{median(took):.1f} s" if took else "-"])
    click.echo(table([*head, "a rebuild"], rows))


if __name__ == "__main__":
    main()
