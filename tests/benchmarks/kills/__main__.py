"""`python -m tests.benchmarks.kills --kills 500`: SIGKILL at random moments under everything.

A small engine is asked 100 times a second while vPLMs are created and removed, one is trained and
promoted, a domain is rebuilt and a key rotated. After every kill the next life must be ready within
10 s, hold and answer all that was acknowledged, and have no file that is nobody's. Every tenth life
is a fresh `python -m engine serve`; the others are forked from a process that has loaded torch.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import click

from engine.bench.own_engine import Running
from engine.client import Client, HmiError, Paths
from tests.benchmarks.kills.acts import Act, Acts, furnish
from tests.benchmarks.kills.check import check
from tests.benchmarks.kills.promises import Promises
from tests.engine.conftest import write_checkpoint
from tests.lives import Engine, small_engine

READY_S = 10.0
PATIENCE_S = 120.0
"""Long enough to say how long it took instead."""
LAYERS = 6
FRESH = 10
"""One life of so many is the command itself."""


class Turmoil:
    """All acts at once on one life, until it is killed."""

    def __init__(self, paths: Paths, promises: Promises, acts: list[Act]) -> None:
        self._paths, self._promises, self._acts = paths, promises, acts
        self._killed = threading.Event()

    def run(self, process: Running, delay: float) -> None:
        """Kill the engine after `delay` seconds."""
        threads = [threading.Thread(target=self._again_and_again, args=(a,)) for a in self._acts]
        for thread in threads:
            thread.start()
        self._killed.wait(delay)
        self._killed.set()
        process.kill()
        for thread in threads:
            thread.join(30)
            if thread.is_alive():
                self._promises.broken.append("a call hung after the engine was killed")

    def _again_and_again(self, act: Act) -> None:
        with Client(paths=self._paths, timeout=20) as client:
            while not self._killed.is_set():
                try:
                    act(client, self._promises)
                except HmiError as error:
                    if self._killed.is_set():
                        return
                    if error.status >= 500:
                        self._promises.broken.append(f"{act.__name__}: {error}")
                    self._promises.counts[f"refused: {error.code}"] += 1


@click.command()
@click.option("--kills", type=click.IntRange(1), default=500, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--longest", default=1.5, show_default=True, help="Seconds that a life may serve.")
@click.option(
    "--ready", default=READY_S, show_default=True, help="Seconds in which a life must be ready."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results here, as JSON.")
def main(kills: int, seed: int, longest: float, ready: float, out: Path | None) -> None:
    """Kill the engine KILLS times; exit code 1 if it broke a promise."""
    moments, promises, acts = random.Random(seed), Promises(), Acts(seed)
    took: list[float] = []
    with tempfile.TemporaryDirectory(prefix="hmi-kills-") as folder:
        home = Path(folder) / "h"
        home.mkdir()
        engine = small_engine(home, write_checkpoint(Path(folder), layers=LAYERS))
        engine.patience_s = PATIENCE_S
        for life in range(kills + 1):
            _live(engine, life, promises, acts, took, moments.uniform(0.02, longest), kills)
            if life and took[-1] > ready:
                promises.broken.append(f"life {life} was ready after {took[-1]:.1f} s")
            if promises.broken:
                break
            if life % 25 == 0:
                click.echo(f"{life} kills, {dict(promises.counts)}", err=True)
    result = {
        "kills": life,
        "seed": seed,
        "ready_s": {"median": statistics.median(took), "most": max(took)},
        "acknowledged": dict(promises.counts),
        "broken": promises.broken,
    }
    click.echo(json.dumps(result, indent=2))
    if out is not None:
        out.write_text(json.dumps(result, indent=2))
    if promises.broken:
        raise SystemExit(1)


def _live(
    engine: Engine,
    life: int,
    promises: Promises,
    acts: Acts,
    took: list[float],
    delay: float,
    kills: int,
) -> None:
    began = time.monotonic()
    with engine.life(first=life % FRESH == 0) as (process, client):
        took.append(time.monotonic() - began)
        if life == 0:
            data = engine.home / "data.jsonl"
            furnish(client, promises, data.write_bytes)
            client.put_dataset("acme", "data", data)
        else:
            check(client, engine.home, promises)
        if life < kills and not promises.broken:
            paths = Paths.find(engine.home, engine.home / "s")
            Turmoil(paths, promises, acts.all()).run(process, delay)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
