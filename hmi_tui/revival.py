"""Which engine died, and is to be started again; one that was stopped in order is left alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from engine.client import Paths
from hmi_tui.launch import Launch, launch_of

TIMES = 3
WITHIN_S = 600.0
"""An engine that dies more often in so many seconds would die for ever."""


@dataclass(frozen=True, slots=True)
class Death:
    """Of an engine that was started so, the `times`-th within WITHIN_S."""

    launch: Launch
    times: int

    @property
    def again(self) -> bool:
        """Whether to start it once more."""
        return self.times <= TIMES


class Revival:
    """Told which engine answers, it tells of each at most once that it died.

    One that ends in order, or that has to be cut short when it is to end, takes its pid out of its
    lock's file; one that was killed, or that crashed, leaves it there.
    """

    def __init__(self, paths: Paths, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = paths.lock
        self._clock = clock
        self._process: psutil.Process | None = None
        self._launch: Launch | None = None
        self._deaths: deque[float] = deque()

    @property
    def launch(self) -> Launch | None:
        """How the engine that was seen last was started; None if it is for others to start it."""
        return None if self._launch is None or self._launch.supervised else self._launch

    def seen(self, pid: int) -> None:
        """The engine that answers. One that is not to be seen from here, in a container for
        example, is never called dead."""
        try:
            process = psutil.Process(pid)
        except (psutil.Error, ValueError):
            self._process = self._launch = None
            return
        self._launch = launch_of(process)
        self._process = process if self._launch is not None else None

    def death(self) -> Death | None:
        """Of the engine that was seen last, if it died and that was not told before."""
        if self._process is None or self._launch is None or _lives(self._process):
            return None
        pid, self._process = self._process.pid, None
        if not self._names(pid):
            return None
        now = self._clock()
        self._deaths.append(now)
        while now - self._deaths[0] > WITHIN_S:
            self._deaths.popleft()
        return Death(self._launch, len(self._deaths))

    def _names(self, pid: int) -> bool:
        try:
            return self._lock.read_text().strip() == str(pid)
        except OSError:
            return False


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
