"""Training processes without their start: forked from one that has loaded the libraries."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from subprocess import TimeoutExpired

import pytest

from engine.training.worker import process, shift
from engine.training.worker import serve as serving

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["engine.training.worker.serve", "transformers.models.bert.modeling_bert"]
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

    def kill(self) -> None:
        self._made.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._made.join(timeout)
        if self._made.exitcode is None:
            raise TimeoutExpired("training", timeout or 0.0)
        return self._made.exitcode


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
