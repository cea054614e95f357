"""An engine of the measurement's own: a child process in a folder that goes with it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from engine.bench.ending import undisturbed
from engine.client import Client, HmiError, Paths, Unavailable

START_S = 180.0
STOP_S = 15.0
_POLL_S = 0.05
_TAIL = 2000


class Running(Protocol):
    """What subprocess.Popen has, of that which is needed."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, slots=True)
class Consumed:
    """Of the engine's process: seconds of CPU so far, and bytes in memory now."""

    cpu_s: float
    resident_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class OwnEngine:
    """A ready engine; `started_s` is how long it took to become so."""

    paths: Paths
    client: Client
    process: psutil.Process
    started_s: float

    def consumed(self) -> Consumed:
        times = self.process.cpu_times()
        return Consumed(times.user + times.system, self.process.memory_info().rss)


def paths_in(folder: Path) -> Paths:
    """Everything below `folder`, whatever the environment says."""
    return Paths.find(folder, folder / "engine.sock")


@contextmanager
def own_engine(folder: Path, flags: Sequence[str]) -> Iterator[OwnEngine]:
    """`hmi serve` with `flags` and its home in `folder`; it has ended afterwards, however.

    Unavailable, with the end of its log, if it does not become ready.
    """
    paths = paths_in(folder)
    paths.log.parent.mkdir(parents=True, exist_ok=True)
    place = ("--home", str(folder), "--socket", str(paths.socket))
    began = time.perf_counter()
    process = launch([*place, *flags], paths.log)
    try:
        with Client(paths=paths, timeout=60.0) as client:
            _await_ready(client, process, paths)
            took = time.perf_counter() - began
            yield OwnEngine(paths, client, psutil.Process(process.pid), took)
    finally:
        with undisturbed():
            _end(process)


def launch(flags: Sequence[str], log: Path) -> Running:
    """`hmi serve` with `flags`, which writes to the new file `log`."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "engine", "serve", *flags],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            # Ctrl-C is for the measurement, which ends its engine in its turn.
            start_new_session=True,
        )


def run_load(paths: Paths, flags: Sequence[str]) -> str:
    """`hmi load` on `paths` as a process of its own; what it prints. Its progress is shown.

    Unavailable if it fails.
    """
    place = ("--home", str(paths.config.parent), "--socket", str(paths.socket))
    command = [sys.executable, "-P", "-m", "engine.load", *place, *flags]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            out, _ = process.communicate()
        except BaseException:
            with undisturbed():
                _end(process)
            raise
    if process.returncode != 0:
        raise Unavailable(
            f"The load simulator ended with code {process.returncode}.",
            remedy="Its own words are above.",
        )
    return out.decode()


def _await_ready(client: Client, process: Running, paths: Paths) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(HmiError):
            if client.readyz()[0]:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            last = paths.log.read_text(errors="replace")[-_TAIL:]
            raise Unavailable(f"The engine did not start. Its last words:\n{last}")
        time.sleep(_POLL_S)


def _end(process: Running) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
