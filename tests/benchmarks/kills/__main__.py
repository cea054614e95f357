"""`python -m tests.benchmarks.kills --kills 500`: SIGKILL at random moments under everything.

A small engine is asked 100 times a second while vPLMs are created and removed, one is trained and
promoted, a domain is rebuilt, tenants come and go, and keys are made, replaced and revoked. After
every kill the next life must be ready within 10 s, also on the network, hold and answer all that
was acknowledged, let in those keys alone that it should, have each change in its audit log, and no
file that is nobody's. Every tenth life is a fresh `python -m engine serve`; the others are forked
from a process that has loaded torch.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from engine.bench.own_engine import Running
from engine.client import Client, HmiError, Paths
from tests.benchmarks.kills.acts import Act, Acts, furnish
from tests.benchmarks.kills.check import check
from tests.benchmarks.kills.promises import Promises
from tests.engine.appliance.small import until
from tests.engine.conftest import write_checkpoint
from tests.lives import Engine, small_engine

READY_S = 10.0
PATIENCE_S = 120.0
"""Long enough to say how long it took instead."""
LAYERS = 6
FRESH = 10
"""One life of so many is the command itself."""
STILLBORN = 12
"""One life of so many is killed at a moment of its start, while it puts right what the one before
left."""


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
                except Exception as error:  # noqa: BLE001  an act that died unnoticed proves nothing
                    self._promises.broken.append(f"{act.__name__}: {error!r}")
                    return


@click.command()
@click.option("--kills", type=click.IntRange(1), default=500, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--longest", default=1.5, show_default=True, help="Seconds that a life may serve.")
@click.option(
    "--ready", default=READY_S, show_default=True, help="Seconds in which a life must be ready."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results here, as JSON.")
def main(kills: int, seed: int, longest: float, ready: float, out: Path | None) -> None:
    """Kill the engine KILLS times; exit code 1 if it broke a promise or was ready late."""
    promises = Promises()
    with tempfile.TemporaryDirectory(prefix="hmi-kills-") as folder:
        home = Path(folder) / "h"
        home.mkdir()
        engine = small_engine(home, write_checkpoint(Path(folder), layers=LAYERS))
        engine.patience_s = PATIENCE_S
        lives = Lives(engine, promises, Acts(seed), random.Random(seed), longest, ready)
        for kill in range(1, kills + 1):
            lives.end_one()
            if promises.broken:
                break
            if kill % 25 == 0:
                click.echo(f"{kill} kills, {dict(promises.counts)}", err=True)
        else:
            lives.check_the_last()
    result = {
        "kills": kill,
        "of_them_while_starting": lives.stillborn,
        "seed": seed,
        "ready_s": {"median": statistics.median(lives.ready_s), "most": max(lives.ready_s)},
        "asked_per_s": promises.counts["asked"] / lives.served_s,
        "acknowledged": dict(promises.counts),
        "changes": dict(promises.changes),
        "audit_entries": promises.entered,
        "late": lives.late,
        "broken": promises.broken,
    }
    click.echo(json.dumps(result, indent=2))
    if out is not None:
        out.write_text(json.dumps(result, indent=2))
    if promises.broken or lives.late:
        raise SystemExit(1)


class Lives:
    """One after the other, each held to what the earlier ones acknowledged, and killed."""

    def __init__(
        self,
        engine: Engine,
        promises: Promises,
        acts: Acts,
        moments: random.Random,
        longest: float,
        ready: float,
    ) -> None:
        self._engine, self._promises, self._acts = engine, promises, acts
        self._moments, self._longest, self._ready = moments, longest, ready
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        engine.choices += ["--listen", address]
        self._url = f"http://{address}"
        self._lives = 0
        self.stillborn = 0
        self.ready_s: list[float] = []
        self.late: list[str] = []
        """On a machine that has other things to do; the lives go on."""
        self.served_s = 0.0

    def end_one(self) -> None:
        self._lives += 1
        if self._lives % STILLBORN == 0:
            usual = statistics.median(self.ready_s)
            self._engine.die_early(self._moments.uniform(0.0, usual))
            self.stillborn += 1
            return
        with self._life() as (process, client):
            if self._lives == 1:
                data = self._engine.home / "data.jsonl"
                furnish(client, self._promises, data.write_bytes)
                client.put_dataset("acme", "data", data)
            else:
                # The training process of a fresh one takes what others leave; the next life waits
                # for what this one did not.
                patient = not self._is_fresh
                check(client, self._engine.home, self._url, self._promises, patient=patient)
            if not self._promises.broken:
                paths = Paths.find(self._engine.home, self._engine.home / "s")
                delay = self._moments.uniform(0.02, self._longest)
                Turmoil(paths, self._promises, self._acts.all()).run(process, delay)
                self.served_s += delay

    def check_the_last(self) -> None:
        self._lives += 1
        with self._life() as (_, client):
            check(client, self._engine.home, self._url, self._promises)

    @contextmanager
    def _life(self) -> Iterator[tuple[Running, Client]]:
        """It is ready, also for who comes over the network."""
        began = time.monotonic()
        with (
            self._engine.life(first=self._is_fresh) as (process, client),
            Client(url=self._url, key="", timeout=20) as outside,
        ):
            until(outside.livez, "the network", PATIENCE_S)
            took = time.monotonic() - began
            self.ready_s.append(took)
            if took > self._ready and self._lives > 1:
                self.late.append(f"life {self._lives} was ready after {took:.1f} s")
            yield process, client

    @property
    def _is_fresh(self) -> bool:
        return self._lives % FRESH == 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
