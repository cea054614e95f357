"""What a supervisor sees: beats while the compute loop works, an end when it does not, and word of
the stop before it comes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.api.notify import notify
from engine.api.port import Port

if TYPE_CHECKING:
    from engine.appliance import Appliance

HUNG_EXIT = 75
"""The exit code of an engine whose compute loop hung: a supervisor starts it again."""
SEEN_S = 2.0
"""So long a hung engine still answers, with 503, for probes to see why."""
DRAIN_S = 0.2
"""So long one that stops says so before it lets nobody in any more."""
WAIT_S = 3.0
"""So long texts may wait for a batch once the engine is to stop; then they are refused, 503."""

log = logging.getLogger("engine")


def supervise(appliance: Appliance) -> None:
    """Let the supervisor hear of it. What was acknowledged is on disk, so an end is no loss."""
    appliance.on_beat = lambda: notify("WATCHDOG=1")
    appliance.on_hung = _end_hung


def refuse_late(appliance: Port) -> None:
    """The engine is to stop: whoever still waits in a while is told so."""
    _in(WAIT_S, appliance.refuse_waiting)


def _end_hung(why: str) -> None:
    notify(f"STATUS=hung: {why}")
    log.critical("Ending in %.0f s for a supervisor to start it again", SEEN_S)
    _in(SEEN_S, lambda: os._exit(HUNG_EXIT))


def _in(seconds: float, act: Callable[[], object]) -> None:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
