"""The training process as the engine sees it: started when there is work, kept for the next."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Protocol

from engine.training.worker.messages import Begin, JobFiles, News, Order, Ready, ShiftOver, Site

log = logging.getLogger(__name__)

_KERNELS = "32"
_END_S = 3.0
"""Seconds that the process gets to end by itself."""


class Running(Protocol):
    """What subprocess.Popen has, of that which is needed."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


Launch = Callable[[Connection, int], Running]
"""Starts a process that serves the connection with so many math threads."""


def environment(threads: int) -> dict[str, str]:
    """Variables of a process that trains with so many math threads.

    It meets few shapes often. What the math library keeps of a thousand others, compiled, would be
    several times what training takes.
    """
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": _KERNELS,
        "LRU_CACHE_CAPACITY": _KERNELS,
    }


def launch(connection: Connection, threads: int) -> Running:
    """The real one: a session of its own, no input, the engine's log."""
    safe = ["-P"] if sys.flags.safe_path else []
    handle = connection.fileno()
    return subprocess.Popen(
        [sys.executable, *safe, "-m", "engine.training.worker", str(handle)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(handle,),
        env=os.environ | environment(threads),
    )


class TrainingProcess:
    """Used by one thread, but for `pid` and `stop`."""

    def __init__(self, site: Site, launch: Launch) -> None:
        self.site = site
        self._launch = launch
        self._running: Running | None = None
        self._connection: Connection | None = None
        self._at_work = False

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return None if self._running is None else self._running.pid

    def begin(self, jobs: tuple[JobFiles, ...]) -> None:
        """Have `jobs` trained in one pass; start the process if there is none."""
        if self._at_work or self._running is None or self._running.poll() is not None:
            # A shift that does not end when it is told to is not waited for.
            self.stop()
            self._start()
        self._at_work = True
        self.order(Begin(jobs))

    def order(self, order: Order) -> None:
        """Say something to the process; one that has died is noticed by `news`."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(order)

    def news(self, timeout: float) -> News | None:
        """The next thing it says, or None after `timeout` seconds. EOFError if it has died."""
        connection = self._connection
        if connection is None:
            raise EOFError
        try:
            if not connection.poll(timeout):
                return None
            news: News = connection.recv()
        except (EOFError, OSError):
            self.stop()
            raise EOFError from None
        if isinstance(news, Ready):
            log.info("the training process %s is ready after %.1f s", self.pid, news.seconds)
        if isinstance(news, ShiftOver):
            self._at_work = False
        return news

    def rest(self, seconds: float) -> bool:
        """Wait until the shift is over, at most so long; whether it is."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(EOFError):
            while self._at_work and (left := deadline - time.monotonic()) > 0:
                self.news(left)
        return not self._at_work

    def stop(self, patience: float = _END_S) -> None:
        """End the process, by itself within `patience` seconds or by force. Nothing happens if
        there is none."""
        running, self._running = self._running, None
        connection, self._connection = self._connection, None
        self._at_work = False
        if connection is not None:
            connection.close()
        if running is None:
            return
        try:
            running.wait(patience)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()

    def _start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        try:
            self._running = self._launch(theirs, self.site.threads)
        finally:
            theirs.close()
        self._connection = ours
        ours.send(self.site)
