"""An engine's process on one home, again and again: what tests that kill it have in common."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine.bench.own_engine import Running
from engine.client import Client, HmiError, Paths
from engine.config import DEFAULT_SPLIT
from engine.knowledge.encoder_file import save_hplm
from engine.knowledge.hplm import Hplm
from engine.model.backbone import load_backbone
from tests.engine.appliance.small import until
from tests.engine.forked import launch_engine

LABELS = ["no", "yes"]
ROWS = b"".join(
    b'{"text": "%s", "label": "%s"}\n' % (text, label)
    for text, label in [(b"a good film", b"yes"), (b"a bad film", b"no")] * 12
)


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
    def life(self, *, first: bool) -> Iterator[tuple[Running, Client]]:
        """One process, ready; killed at the end, if it still lives."""
        paths = Paths.find(self.home, self.home / "s")
        process = self._begun(_command if first else launch_engine, paths)
        try:
            with Client(paths=paths, timeout=20) as client:
                until(lambda: _ready(client), "readiness", self.patience_s)
                yield process, client
        except AssertionError:
            print((self.home / "log").read_text()[-3000:])
            raise
        finally:
            process.kill()
            process.wait()

    def die_early(self, seconds: float) -> None:
        """One process that is killed so long after it was begun, ready or not."""
        process = self._begun(launch_engine, Paths.find(self.home, self.home / "s"))
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        process.wait()

    def _begun(self, begin: Callable[[list[str], Path], Running], paths: Paths) -> Running:
        place = ["--home", str(self.home), "--socket", str(paths.socket)]
        return begin([*place, *self.choices], self.home / "log")


def _command(flags: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "engine", "serve", *flags],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def _ready(client: Client) -> bool:
    with suppress(HmiError):
        return client.readyz()[0]
    return False


def small_engine(home: Path, checkpoint: Path) -> Engine:
    """One on the backbone in `checkpoint`, with an encoder that nobody trained."""
    backbone = load_backbone(checkpoint, split=DEFAULT_SPLIT)
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
