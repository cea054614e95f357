"""`python -m tests.benchmarks.soak --minutes 60`: the reference load for an hour, with everything
else going on beside it.

An engine serves TENANTS x 10 vPLMs, or those of an existing home, at RATE requests a second, by
the project's own open-loop simulator, one run after the other, while served domains are rebuilt, a
vPLM is trained and published and others come and go, again and again. The engine's memory is
looked at every second, its descriptors and threads when a run is over. The first and the last run
are compared.

    python -m tests.benchmarks.soak --minutes 60 --home DIR --text FILE --out soak.json
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

import click
import psutil

from engine.bench.population import Population, create_vplms
from engine.client import Client, Conflict, HmiError, Paths
from engine.load.texts import demo_texts
from engine.schema import RebuildRequest, TrainRequest, VplmBulkCreate, VplmCreate
from hmi_tui.engine_process import start_engine, stop_engine

P99_RATIO = 1.1
MEMORY_RATIO = 1.05
TRAINERS_RATIO = 1.15
"""Of peaks, which depend on what two jobs happened to do at one time."""
SPARE = 8
"""Descriptors and threads that may come and go."""
START_S = 600.0
CLOSED_S = 2.0
"""In which the engine has seen that a client is gone."""
PAUSE_S = 20.0
OWN = "zz-soak"
"""The tenant whose vPLMs change. The simulator asks the first tenants by name, so not this one."""
LABELS = ["billing", "delivery", "praise", "other"]
PASSING = 20


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the load: what the engine held, and what its clients saw."""

    seconds: float
    answered: int
    errors: dict[str, int]
    p50_s: float
    p99_s: float
    bytes: float
    """The median."""
    descriptors: int
    threads: int
    """These two after it, when its connections are closed: slow answers keep more of them open."""
    trainers_bytes: float
    """Of its training processes, the most at one time."""


class Chores:
    """What goes on beside the load. Failures are counted by what was tried."""

    def __init__(self, paths: Paths, domains: list[str]) -> None:
        self._paths, self._domains = paths, cycle(domains)
        self._ended = threading.Event()
        self.done: Counter[str] = Counter()
        self.failed: list[str] = []
        self._number = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        threads = [
            threading.Thread(target=self._again_and_again, args=(act,))
            for act in (self._train, self._rebuild, self._come_and_go)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _again_and_again(self, act: Callable[[Client], None]) -> None:
        name = act.__name__.strip("_")
        with Client(paths=self._paths, timeout=60) as client:
            while not self._ended.wait(PAUSE_S):
                try:
                    act(client)
                    self.done[name] += 1
                except Exception as error:  # noqa: BLE001  a chore that ended unnoticed is no load
                    self.failed.append(f"{name}: {error}")

    def _train(self, client: Client) -> None:
        request = TrainRequest(vplm=f"{OWN}/pupil", dataset="data", epochs=1)
        self._finish(client, client.train(request).id)

    def _rebuild(self, client: Client) -> None:
        domain = next(self._domains)
        self._finish(client, client.rebuild_domain(domain, RebuildRequest()).id)

    def _come_and_go(self, client: Client) -> None:
        self._number += 1
        name = f"passing{self._number}"
        request = VplmBulkCreate(tenant=OWN, name=name, count=PASSING, labels=LABELS)
        for vplm in client.create_vplms(request):
            client.classify(vplm, "thank you")
            client.remove_vplm(vplm)

    def _finish(self, client: Client, job: str) -> None:
        for news in client.watch_job(job):
            if news.state == "failed":
                self.failed.append(f"{job}: {news.error}")
            if news.ended or self._ended.is_set():
                return


def furnish(client: Client, folder: Path) -> None:
    """What the chores work on; nothing happens where it is there already."""
    rows = folder / "data.jsonl"
    rows.write_text(
        "".join(
            json.dumps({"text": text, "label": LABELS[i % len(LABELS)]}) + "\n"
            for i, text in enumerate(demo_texts()[:400])
        )
    )
    with suppress(Conflict):
        client.create_tenant(OWN)
    with suppress(Conflict):
        client.create_vplm(VplmCreate(tenant=OWN, name="pupil", labels=LABELS))
    client.put_dataset(OWN, "data", rows)


def populate(client: Client, tenants: int) -> None:
    """`tenants` with ten vPLMs each, on a domain with a table, and nothing else."""
    client.create_domain("support")
    client.put_corpus("support", iter(["\n".join(demo_texts()).encode()]))
    for job in client.watch_job(client.rebuild_domain("support", RebuildRequest()).id):
        assert job.state not in ("failed", "cancelled"), job.error
    create_vplms(client, Population(tenants), ["support"], lambda line: click.echo(line, err=True))


def load_window(
    paths: Paths, process: psutil.Process, flags: list[str], seconds: float, seed: int
) -> Window:
    """One run of the simulator, with what the engine held meanwhile."""
    command = [sys.executable, "-P", "-m", "engine.load", "--socket", str(paths.socket), *flags]
    command += ["--duration", str(seconds), "--seed", str(seed), "--json"]
    held: list[int] = []
    trainers = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as load:
        while load.poll() is None:
            held.append(process.memory_info().rss)
            with suppress(psutil.NoSuchProcess):
                trainers = max(trainers, sum(p.memory_info().rss for p in process.children()))
            time.sleep(1.0)
        assert load.stdout is not None
        told = load.stdout.read()
    assert load.returncode == 0, f"the simulator ended with {load.returncode}"
    report = json.loads(told)
    latency = report["latency_s"]
    time.sleep(CLOSED_S)
    return Window(
        seconds=report["seconds"],
        answered=report["answered"],
        errors=report["errors"],
        p50_s=latency["p50"],
        p99_s=latency["p99"],
        bytes=statistics.median(held),
        descriptors=process.num_fds(),
        threads=process.num_threads(),
        trainers_bytes=trainers,
    )


def faults_of(windows: list[Window], chores: Chores) -> list[str]:
    """What is not flat, from the first window to the last."""
    first, last = windows[0], windows[-1]
    found = [f"a chore failed: {what}" for what in chores.failed]
    found += [f"{act} was never done" for act in _ACTS if not chores.done[act]]
    errors: Counter[str] = sum((Counter(window.errors) for window in windows), Counter())
    found += [f"{count} requests failed: {code}" for code, count in errors.items()]
    if last.p99_s > P99_RATIO * first.p99_s:
        found.append(f"p99 went from {first.p99_s:.3f} to {last.p99_s:.3f} s")
    for what, held, then, allowed in (
        ("memory", first.bytes, last.bytes, MEMORY_RATIO),
        ("training's memory", first.trainers_bytes, last.trainers_bytes, TRAINERS_RATIO),
    ):
        if then > allowed * held:
            found.append(f"{what} went from {held / 2**20:.0f} to {then / 2**20:.0f} MiB")
    for what, before, after in (
        ("descriptors", first.descriptors, last.descriptors),
        ("threads", first.threads, last.threads),
    ):
        if after > before + SPARE:
            found.append(f"{what} went from {before} to {after}")
    return found


_ACTS = ("train", "rebuild", "come_and_go")


@contextmanager
def soaking(paths: Paths, tenants: int, serve: tuple[str, ...]) -> Iterator[tuple[Client, int]]:
    """An engine of our own on the home, which is made if it is empty; and how many tenants are to
    be asked. What the chores made is gone afterwards."""
    start_engine(paths, serve, START_S)
    try:
        with tempfile.TemporaryDirectory() as folder, Client(paths=paths, timeout=120) as client:
            if not client.tenants(limit=1).total:
                populate(client, tenants)
            furnish(client, Path(folder))
            try:
                yield client, client.tenants(limit=1).total - 1
            finally:
                with suppress(HmiError):
                    client.remove_tenant(OWN)
    finally:
        stop_engine(paths, kill=True)


@click.command()
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--windows", type=click.IntRange(2), default=6, show_default=True)
@click.option("--warm", default=180.0, show_default=True, help="Seconds of load before the first.")
@click.option("--rate", type=float, default=167.0, show_default=True)
@click.option("--tenants", type=click.IntRange(1), default=1000, show_default=True, help="To make.")
@click.option("--home", type=click.Path(path_type=Path), help="An existing home, nobody's now.")
@click.option("--text", type=click.Path(path_type=Path, exists=True), help="A text a line.")
@click.option("--serve", multiple=True, help="A further word of `hmi serve`, such as --threads=1.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the results here, as JSON.")
def main(
    minutes: float,
    windows: int,
    warm: float,
    rate: float,
    tenants: int,
    home: Path | None,
    text: Path | None,
    serve: tuple[str, ...],
    out: Path | None,
) -> None:
    """Exit code 1 if anything grew, failed or became slow."""
    seen: list[Window] = []
    with tempfile.TemporaryDirectory(prefix="hmi-soak-") as folder:
        root = Path(folder) / "h" if home is None else home
        paths = Paths.find(root, root / "engine.sock")
        with soaking(paths, tenants, serve) as (client, asked):
            process = psutil.Process(client.status().engine.pid)
            domains = [d.name for d in client.domains().data if d.corpus_bytes]
            flags = ["--rate", str(rate), "--tenants", str(asked)]
            flags += [] if text is None else ["--text", str(text)]
            chores = Chores(paths, domains)
            with chores.going_on():
                if warm:
                    load_window(paths, process, flags, warm, windows)
                for number in range(windows):
                    seconds = minutes * 60 / windows
                    seen.append(load_window(paths, process, flags, seconds, number))
                    click.echo(json.dumps(asdict(seen[-1])), err=True)
    faults = faults_of(seen, chores)
    result = {
        "rate": rate,
        "tenants": asked,
        "domains": domains,
        "windows": [asdict(window) for window in seen],
        "p99_ratio": seen[-1].p99_s / seen[0].p99_s,
        "memory_ratio": seen[-1].bytes / seen[0].bytes,
        "trainers_ratio": seen[-1].trainers_bytes / max(1.0, seen[0].trainers_bytes),
        "chores": dict(chores.done),
        "faults": faults,
    }
    click.echo(json.dumps(result, indent=2))
    if out is not None:
        out.write_text(json.dumps(result, indent=2))
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
