"""Ending in order: what must not be cut in two by Ctrl-C, SIGTERM or a closed terminal."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object] | signal.Handlers | int | None


@contextmanager
def handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """These handlers inside, the former ones afterwards. Only the main thread may."""
    before = {signum: signal.signal(signum, handler) for signum, handler in handlers.items()}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextmanager
def orderly_end() -> Iterator[None]:
    """SIGTERM and a closed terminal unwind the stack like Ctrl-C, so that nothing stays behind."""
    with handling({signal.SIGTERM: _leave, signal.SIGHUP: _leave}):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C does not cut the tidying short; each part of it has its own time limit."""
    with handling(dict.fromkeys(ENDINGS, signal.SIG_IGN)):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """Signals that arrive inside are delivered at its end: what is made here is also known.

    Without it a process could be started, or a folder made, that nobody remembers to remove.
    Other threads than the main one receive no signals, and there it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    try:
        with handling(dict.fromkeys(ENDINGS, lambda signum, _frame: arrived.append(signum))):
            yield
    finally:
        for signum in arrived:
            signal.raise_signal(signum)


def _leave(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)
