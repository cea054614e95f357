"""A home that lasts as long as the demo, with an engine in it, and the load beside it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

import psutil

from engine.client import MAX_SOCKET_PATH, HmiError, Paths
from hmi_tui.engine_process import start_engine, stop_engine

STOP_LOAD_S = 5.0
SOCKET = "engine.sock"

Handler = Callable[[int, FrameType | None], NoReturn] | signal.Handlers


@contextmanager
def throw_away_engine(
    arguments: Sequence[str] = (), progress: Callable[[str], None] = lambda _line: None
) -> Iterator[Paths]:
    """A ready engine in a new folder; both are gone afterwards, whatever happens inside."""
    folder = _new_folder()
    paths = Paths.find(folder, folder / SOCKET)
    try:
        start_engine(paths, arguments, progress=progress)
        yield paths
    finally:
        with _undisturbed():
            with suppress(HmiError, psutil.Error):
                stop_engine(paths, kill=True)
            shutil.rmtree(folder, ignore_errors=True)


def _new_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="hmi-demo-"))
    if len(os.fsencode(folder / SOCKET)) > MAX_SOCKET_PATH:
        # A long TMPDIR leaves no room for the socket's name.
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="hmi-demo-", dir="/tmp"))
    return folder


@contextmanager
def load_on(
    paths: Paths, flags: Sequence[str], out: int | IO[bytes], err: IO[bytes] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """The simulator at work on `paths`; it has ended afterwards. `err` None is ours."""
    place = ["--home", str(paths.config.parent), "--socket", str(paths.socket)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.load", *place, *flags],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        # Ctrl-C is for the demo, which ends the load in its turn.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with _undisturbed():
            process.terminate()
            try:
                process.wait(STOP_LOAD_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _leave(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


@contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind the stack like Ctrl-C, so that nothing stays behind."""
    with _handling({signal.SIGTERM: _leave, signal.SIGHUP: _leave}):
        yield


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not cut the tidying short; each part of it has its own time limit."""
    ignored = dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)
    with _handling(ignored):
        yield


@contextmanager
def _handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
