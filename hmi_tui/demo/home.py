"""A home that lasts as long as the demo, with an engine in it, and the load beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from engine.client import MAX_SOCKET_PATH, HmiError, Paths
from hmi_tui.engine_process import start_engine, stop_engine
from hmi_tui.signals import held_back, undisturbed

STOP_LOAD_S = 5.0
SOCKET = "engine.sock"


@contextmanager
def throw_away_engine(
    arguments: Sequence[str] = (), progress: Callable[[str], None] = lambda _line: None
) -> Iterator[Paths]:
    """A ready engine in a new folder; both are gone afterwards, whatever happens inside."""
    folder: Path | None = None
    try:
        with held_back():
            folder = _new_folder()
        paths = Paths.find(folder, folder / SOCKET)
        try:
            start_engine(paths, arguments, progress=progress)
            yield paths
        finally:
            with undisturbed(), suppress(HmiError, psutil.Error):
                stop_engine(paths, kill=True)
    finally:
        if folder is not None:
            with undisturbed():
                shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hmi-demo-"))
    if len(os.fsencode(folder / SOCKET)) > MAX_SOCKET_PATH:
        # A long TMPDIR leaves no room for the socket's name.
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="hmi-demo-", dir="/tmp"))
    return folder


@contextmanager
def load_on(paths: Paths, flags: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The simulator at work on `paths`, its stdout a pipe; it has ended afterwards."""
    place = ["--home", str(paths.config.parent), "--socket", str(paths.socket)]
    process: subprocess.Popen[bytes] | None = None
    try:
        with held_back():
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine.load", *place, *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                # Ctrl-C is for the demo, which ends the load in its turn.
                start_new_session=True,
            )
        yield process
    finally:
        with undisturbed():
            if process is not None:
                _end_load(process)


def _end_load(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LOAD_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
