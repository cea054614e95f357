"""Processes without their start: forked from one that has loaded the libraries."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import TimeoutExpired

import pytest

from engine.training.worker import process, shift
from engine.training.worker import serve as serving

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["engine.api.server", "engine.appliance", "transformers.models.bert.modeling_bert"]
)


class Forked:
    """What subprocess.Popen has, of a forked process."""

    def __init__(self, made: BaseProcess) -> None:
        self._made = made

    @property
    def pid(self) -> int:
        assert self._made.pid is not None
        return self._made.pid

    def poll(self) -> int | None:
        return self._made.exitcode

    def terminate(self) -> None:
        self._made.terminate()

    def kill(self) -> None:
        self._made.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._made.join(timeout)
        if self._made.exitcode is None:
            raise TimeoutExpired("forked", timeout or 0.0)
        return self._made.exitcode


def run_engine(flags: list[str], log: str) -> None:
    """What `python -m engine serve` does, in a process that has loaded the libraries already. Its
    training processes are forked from the same one that it was: to begin one at the lowest
    priority takes ten seconds where the tests keep the processors busy."""
    # That one listens still; without this the engine would start another, with all it has to load.
    forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]
    process.launch = launch
    descriptor = os.open(log, os.O_APPEND | os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.argv = ["engine", "serve", *flags]
    runpy.run_module("engine", run_name="__main__", alter_sys=True)


def launch_engine(flags: Sequence[str], log: Path) -> Forked:
    """`hmi serve` with `flags`; what it writes is added to `log`."""
    made = FORKS.Process(target=run_engine, args=(list(flags), str(log)))
    made.start()
    return Forked(made)


def serve_usually(connection: Connection, checkpoint_s: float) -> None:
    """As the real one, but with its share of a machine that the tests keep busy."""
    shift.CHECKPOINT_S = checkpoint_s
    serving.take_lowest_priority = lambda: None
    serving.serve(connection)


def launch(connection: Connection, threads: int) -> Forked:
    made = FORKS.Process(target=serve_usually, args=(connection, shift.CHECKPOINT_S), daemon=True)
    made.start()
    return Forked(made)


@pytest.fixture(scope="session")
def fork_server() -> None:
    """The process that has loaded the libraries is there; no test's deadline pays for it."""
    first = FORKS.Process(target=int)
    first.start()
    first.join()


@pytest.fixture(autouse=True)
def forked_training(fork_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "launch", launch)
