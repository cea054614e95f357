"""Engines that are processes, of which the application sees the command, and that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.client import Client, Paths
from tests.hmi_tui.cli import fake_engine

SERVE = ("-m", "engine", "serve")
DEADLINE_S = 20.0


@contextmanager
def mortal(
    paths: Paths, *words: str, folder: Path | None = None, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """An engine that answers on `paths`, and is gone afterwards, however it was started."""
    command = [sys.executable, fake_engine.__file__, str(paths.socket), *words]
    with subprocess.Popen(command, cwd=folder, env=os.environ | environment) as process:
        try:
            answering(paths)
            yield process
        finally:
            process.kill()


def answering(paths: Paths) -> int:
    """The pid of the engine there, as soon as it answers."""
    end, pause = time.monotonic() + DEADLINE_S, threading.Event()
    with Client(paths=paths, timeout=DEADLINE_S) as client:
        while not client.livez():
            assert time.monotonic() < end, "the engine never answered"
            pause.wait(0.01)
        return client.status().engine.pid
