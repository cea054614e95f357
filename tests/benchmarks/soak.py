"""`python -m tests.benchmarks.soak --minutes 60`: the reference load for an hour, with everything
else going on beside it.

An engine on the bundled backbone serves TENANTS x 10 vPLMs at RATE requests a second, by the
project's own open-loop simulator, one run after the other, while a domain is rebuilt and a vPLM
trained again and again and vPLMs come and go. The engine's memory, descriptors and threads are
looked at every second. The first window warms up; the last ones are compared with the one after it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import psutil

from engine.client import Client, HmiError, Paths
from engine.schema import RebuildRequest, TrainRequest, VplmBulkCreate, VplmCreate
from hmi_tui.engine_process import start_engine, stop_engine

LABELS = ["billing", "delivery", "praise", "other"]
EACH = 10
P99_RATIO = 1.1
MEMORY_RATIO = 1.05
SPARE = 8
"""Descriptors and threads that may come and go."""
PAUSE_S = 20.0
WORDS = [
    "order",
    "parcel",
    "refund",
    "late",
    "invoice",
    "great",
    "broken",
    "thanks",
    "price",
    "card",
]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the load: medians of what the engine held, and what its clients saw."""

    seconds: float
    answered: int
    errors: int
    p50_s: float
    p99_s: float
    bytes: float
    descriptors: float
    threads: float


class Chores:
    """What goes on beside the load. Failures are counted by what was tried."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._ended = threading.Event()
        self.done: dict[str, int] = {}
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
                    self.done[name] = self.done.get(name, 0) + 1
                except HmiError as error:
                    self.failed.append(f"{name}: {error}")

    def _train(self, client: Client) -> None:
        request = TrainRequest(vplm="t0000/pupil", dataset="data", epochs=1)
        self._finish(client, client.train(request).id)

    def _rebuild(self, client: Client) -> None:
        self._finish(client, client.rebuild_domain("support", RebuildRequest(alpha=0.9)).id)

    def _come_and_go(self, client: Client) -> None:
        self._number += 1
        request = VplmBulkCreate(
            tenant="t0000", name=f"passing{self._number}", count=20, labels=LABELS
        )
        for vplm in client.create_vplms(request):
            client.remove_vplm(vplm)

    def _finish(self, client: Client, job: str) -> None:
        for news in client.watch_job(job):
            if news.state == "failed":
                self.failed.append(f"{job}: {news.error}")
            if news.ended or self._ended.is_set():
                return


def furnish(paths: Paths, tenants: int, folder: Path) -> Path:
    """Tenants, vPLMs, a domain and a dataset; the file of the texts that are asked."""
    lines = [
        " ".join(WORDS[(i * k + k) % len(WORDS)] for k in range(1, 5 + i % 12)) for i in range(400)
    ]
    texts = folder / "texts.txt"
    texts.write_text("\n".join(lines))
    with Client(paths=paths, timeout=120) as client:
        client.create_domain("support")
        client.put_corpus("support", iter([texts.read_bytes()]))
        for number in range(tenants):
            tenant = f"t{number:04d}"
            client.create_tenant(tenant)
            client.create_vplms(
                VplmBulkCreate(
                    tenant=tenant, name="v", count=EACH, labels=LABELS, domain="support", rank=16
                )
            )
        client.create_vplm(
            VplmCreate(tenant="t0000", name="pupil", labels=LABELS, domain="support")
        )
        rows = folder / "data.jsonl"
        rows.write_text(
            "\n".join(
                json.dumps({"text": line, "label": LABELS[i % 4]}) for i, line in enumerate(lines)
            )
        )
        client.put_dataset("t0000", "data", rows)
    return texts


def load_window(
    paths: Paths, process: psutil.Process, texts: Path, rate: float, seconds: float, seed: int
) -> Window:
    """One run of the simulator, with what the engine held meanwhile."""
    command = [sys.executable, "-m", "engine.load", "--home", str(paths.data.parent)]
    command += ["--socket", str(paths.socket), "--text", str(texts), "--rate", str(rate)]
    command += ["--duration", str(seconds), "--seed", str(seed), "--json"]
    held: list[tuple[int, int, int]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as load:
        while load.poll() is None:
            # Children (the training process) come and go, and are not the engine.
            held.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
            time.sleep(1.0)
        assert load.stdout is not None
        report = json.loads(load.stdout.read())
    latency = report["latency_s"]
    medians = [statistics.median(column) for column in zip(*held, strict=True)]
    return Window(
        seconds=report["seconds"],
        answered=report["answered"],
        errors=sum(report["errors"].values()),
        p50_s=latency["p50"],
        p99_s=latency["p99"],
        bytes=medians[0],
        descriptors=medians[1],
        threads=medians[2],
    )


def faults_of(windows: list[Window], chores: Chores) -> list[str]:
    """What is not flat, from the window after the warm-up to the last."""
    first, last = windows[min(1, len(windows) - 1)], windows[-1]
    found = [f"a chore failed: {what}" for what in chores.failed]
    if errors := sum(window.errors for window in windows):
        found.append(f"{errors} requests failed")
    if last.p99_s > P99_RATIO * first.p99_s:
        found.append(f"p99 went from {first.p99_s:.3f} to {last.p99_s:.3f} s")
    if last.bytes > MEMORY_RATIO * first.bytes:
        found.append(f"memory went from {first.bytes / 2**20:.0f} to {last.bytes / 2**20:.0f} MiB")
    for what, before, after in (
        ("descriptors", first.descriptors, last.descriptors),
        ("threads", first.threads, last.threads),
    ):
        if after > before + SPARE:
            found.append(f"{what} went from {before:.0f} to {after:.0f}")
    return found


@click.command()
@click.option("--minutes", type=float, default=60.0, show_default=True)
@click.option("--windows", type=click.IntRange(2), default=6, show_default=True)
@click.option("--rate", type=float, default=167.0, show_default=True)
@click.option("--tenants", type=click.IntRange(1), default=1000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write the results here, as JSON.")
def main(minutes: float, windows: int, rate: float, tenants: int, out: Path | None) -> None:
    """Exit code 1 if anything grew, failed or became slow."""
    with tempfile.TemporaryDirectory(prefix="hmi-soak-") as folder:
        paths = Paths.find(Path(folder) / "h")
        start_engine(paths)
        try:
            texts = furnish(paths, tenants, Path(folder))
            with Client(paths=paths) as client:
                process = psutil.Process(client.status().engine.pid)
            chores = Chores(paths)
            seen: list[Window] = []
            with chores.going_on():
                for number in range(windows):
                    seconds = minutes * 60 / windows
                    seen.append(load_window(paths, process, texts, rate, seconds, number))
                    click.echo(json.dumps(asdict(seen[-1])), err=True)
        finally:
            stop_engine(paths, kill=True)
    faults = faults_of(seen, chores)
    result = {"windows": [asdict(w) for w in seen], "chores": chores.done, "faults": faults}
    click.echo(json.dumps(result, indent=2))
    if out is not None:
        out.write_text(json.dumps(result, indent=2))
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
