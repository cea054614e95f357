"""An engine's process on one home, again and again: what tests that kill it have in common."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.client import Client, HmiError, Paths
from engine.config import Settings
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.model.backbone import load_backbone
from tests.engine.appliance.small import until

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["engine.api.server", "engine.appliance", "transformers.models.bert.modeling_bert"]
)
LABELS = ["no", "yes"]
ROWS = b"".join(
    b'{"text": "%s", "label": "%s"}\n' % (text, label)
    for text, label in [(b"a good film", b"yes"), (b"a bad film", b"no")] * 12
)


def run_engine(arguments: list[str], log: str) -> None:
    """What `python -m engine` does, in a process that has loaded the libraries already."""
    descriptor = os.open(log, os.O_APPEND | os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.argv = ["engine", *arguments]
    runpy.run_module("engine", run_name="__main__", alter_sys=True)


class Process(Protocol):
    """What subprocess and multiprocessing have in common."""

    def kill(self) -> None: ...


@dataclass
class Engine:
    """`python -m engine serve` on one home, again and again.

    The first life is that very command. Later ones are forked from a process that has loaded
    torch, which takes most of a start, so that there is time for more kills.
    """

    home: Path
    choices: list[str]
    patience_s: float = 20.0
    """How long a life may take to be ready."""

    @contextmanager
    def life(self, *, first: bool) -> Iterator[tuple[Process, Client]]:
        """One process, ready; killed at the end, if it still lives."""
        paths = Paths.find(self.home, self.home / "s")
        place = ["--home", str(self.home), "--socket", str(paths.socket)]
        begin = _command if first else _forked
        process, end = begin(["serve", *place, *self.choices], self.home / "log")
        try:
            with Client(paths=paths, timeout=20) as client:
                until(lambda: _ready(client), "readiness", self.patience_s)
                yield process, client
        except AssertionError:
            print((self.home / "log").read_text()[-3000:])
            raise
        finally:
            process.kill()
            end()


def _command(arguments: list[str], log: Path) -> tuple[Process, Callable[[], object]]:
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "engine", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return process, process.wait


def _forked(arguments: list[str], log: Path) -> tuple[Process, Callable[[], object]]:
    process = FORKS.Process(target=run_engine, args=(arguments, str(log)))
    process.start()
    return process, process.join


def _ready(client: Client) -> bool:
    with suppress(HmiError):
        return client.readyz()[0]
    return False


def small_engine(home: Path, checkpoint: Path) -> Engine:
    """One on the backbone in `checkpoint`, with an encoder that nobody trained."""
    backbone = load_backbone(checkpoint, split=Settings(paths=Paths.find(home)).split)
    encoder = home / "encoder.safetensors"
    save_hplm(Hplm.untrained(backbone), encoder, {})
    choices = {
        "--backbone": str(checkpoint),
        "--encoder": str(encoder),
        "--device": "cpu",
        "--threads": "1",
        "--device-cache": "8M",
    }
    return Engine(home, [word for pair in choices.items() for word in pair])
