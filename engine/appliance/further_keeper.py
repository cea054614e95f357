"""Who loads backbones beside the engine's own and lets go of them, one at a time."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress

from engine.appliance.further_backbone import Further, Upkeep
from engine.appliance.further_room import FurtherRoom, stopping
from engine.memory.heap import give_back
from store.errors import StoreError

_END_S = 5.0
"""An engine that stops waits so long for the step of a loading that is under way."""
_NICENESS = 10

log = logging.getLogger(__name__)


class Keeper:
    """A thread that begins when the first is wanted."""

    def __init__(self, upkeep: Upkeep) -> None:
        self.room = FurtherRoom(upkeep, self._begin)
        self._upkeep = upkeep
        self._thread: threading.Thread | None = None

    def close(self, further: Further) -> None:
        """Of one that was taken out: nobody finds it any more, so nobody asks it."""
        stack = further.stack
        assert stack is not None, "what is on its way does not leave"
        further.unwatch()
        stack.stop()
        try:
            stack.save()
        except StoreError as error:
            log.error("what was asked of backbone %s is not written down: %s", stack.sha256, error)
        stack.close()
        self.room.closed_down(further, stack)
        del stack
        give_back()
        log.info("backbone %s was let go of", self._upkeep.name(further.sha256))

    def stop(self) -> None:
        """Let go of all, and wait for the step that is under way."""
        self.room.end()
        for further in self.room.clear():
            self.close(further)
        if self._thread is not None:
            self._thread.join(_END_S)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="backbones", daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while (due := self.room.next()) is not None:
            leaving, wanted = due
            if leaving is not None:
                self.close(leaving)
            if wanted is not None:
                self._load(wanted)
            # Nothing of theirs is kept while it waits.
            del due, leaving, wanted

    def _load(self, further: Further) -> None:
        name = self._upkeep.name(further.sha256)
        began = time.monotonic()
        try:
            stack = self._upkeep.load(further.sha256, self._go_on)
            with self._upkeep.changing:
                further.unwatch = self._upkeep.open(stack)
                serves = self.room.loaded(further, stack)
            if not serves:
                self.close(further)
        except Exception as error:
            self.room.failed(further, error)
            if not self.room.closed:
                log.exception("backbone %s cannot be loaded", name)
        else:
            log.info("backbone %s is loaded after %.1f s", name, time.monotonic() - began)
        self.room.over(further)

    def _go_on(self, _step: str) -> None:
        if self.room.closed:
            raise stopping()
