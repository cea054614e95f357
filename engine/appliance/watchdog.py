"""Watches the compute loop itself: a process that answers /livez may compute nothing any more."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.serving.pulse import Pulse

log = logging.getLogger(__name__)

POLL_S = 1.0
_ASLEEP = 10
"""A look that comes so many times later than it should says that the process stood still."""


class Watchdog:
    """Says once that the loop hangs, and until then at every look that it does not.

    It hangs if a thread has been at one batch, or texts have waited without any batch being done
    with, for `limit_s`; or if a stage's thread has ended. `start` once, `stop` once.
    """

    def __init__(
        self,
        pulse: Pulse,
        waiting: Callable[[], int],
        dead: Callable[[], list[str]],
        limit_s: float,
        on_beat: Callable[[], None],
        on_hung: Callable[[str], None],
        poll_s: float | None = None,
    ) -> None:
        """`waiting` counts the texts that wait, `dead` names threads that ended unasked."""
        self._pulse, self._waiting, self._dead = pulse, waiting, dead
        self._limit, self._poll = limit_s, POLL_S if poll_s is None else poll_s
        self._on_beat, self._on_hung = on_beat, on_hung
        self._looked = self._awake_since = time.monotonic()
        self._waited_since: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(2 * POLL_S)

    def _run(self) -> None:
        while not self._stopped.wait(self._poll):
            why = self.look()
            if why is not None:
                log.critical("the engine computes nothing any more: %s", why)
                self._on_hung(why)
                return
            self._on_beat()

    def look(self) -> str | None:
        """Why the loop is taken to hang, if it is."""
        if dead := self._dead():
            return f"the thread {dead[0]} has ended"
        now = time.monotonic()
        if now - self._looked > _ASLEEP * self._poll:
            # The whole process was stopped, or the machine slept: nobody could do anything.
            self._awake_since = now
        self._looked = now
        busy = self._pulse.longest()
        if busy is not None and min(busy.seconds, now - self._awake_since) > self._limit:
            log.critical("the stage %s is at\n%s", busy.stage, busy.stack())
            return f"one batch has been in the stage {busy.stage} for {busy.seconds:.0f} s"
        if not self._waiting():
            self._waited_since = None
        elif self._waited_since is None:
            self._waited_since = now
        elif self._limit < min(
            now - self._waited_since, self._pulse.still(), now - self._awake_since
        ):
            return f"texts wait and no batch has been taken for {self._limit:.0f} s"
        return None
