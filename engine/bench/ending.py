"""Runs end early all the time; what they made on the way goes with them."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end_in_order() -> None:
    """From now on SIGTERM and a closed terminal unwind the stack, as Ctrl-C does."""
    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, _leave)


@contextlib.contextmanager
def throwaway_folder() -> Iterator[Path]:
    """A folder in the system's place for such (TMPDIR), gone afterwards whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="hmi-bench-"))
    try:
        yield folder
    finally:
        with undisturbed():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not cut the tidying short."""
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in _ENDINGS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _leave(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)
