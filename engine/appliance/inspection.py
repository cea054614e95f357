"""Comparing the tables on disk with their checksums when the engine starts."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque

from engine.knowledge.tree import DomainTree
from engine.knowledge.view import Segment
from store.errors import Damaged, NotFound
from store.tables import TableFiles

log = logging.getLogger(__name__)

AT_ONCE = 64 << 20
"""Bytes of tables that are compared before serving begins, in well under a second."""
_NICENESS = 10


class TableInspection:
    """Reads every table in use once, small ones before serving begins, the others beside it.

    One that is not what it was is condemned: its domain refuses, or serves in exact mode, as if
    the damage had been found when it was opened. `begin` once, `stop` once.
    """

    def __init__(self, tables: TableFiles, tree: DomainTree, at_once: int = AT_ONCE) -> None:
        self._tables = tables
        self._tree = tree
        self._at_once = at_once
        self._stopped = threading.Event()
        self._waiting: deque[Segment] = deque()
        self._thread = threading.Thread(target=self._run, name="inspection", daemon=True)

    def begin(self) -> None:
        """Return once the small tables are compared; the rest goes on in a thread."""
        owned = (self._tree.own(knowledge.domain) for knowledge in self._tree.all())
        in_use = (segment for segment in owned if segment is not None)
        self._waiting.extend(sorted(in_use, key=lambda segment: segment.nbytes))
        left = self._at_once
        while self._waiting and self._waiting[0].nbytes <= left:
            segment = self._waiting.popleft()
            left -= segment.nbytes
            self._compare(segment)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """A table that is being read may still be read to its end; what is found is forgotten."""
        self._stopped.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        # On Linux niceness belongs to the thread: serving goes first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while self._waiting and not self._stopped.is_set():
            self._compare(self._waiting.popleft())

    def _compare(self, segment: Segment) -> None:
        try:
            self._tables.verify(segment.domain, segment.epoch)
        except NotFound:
            # A rebuild has replaced it, or its domain is gone.
            return
        except Damaged as error:
            if self._tree.condemn(segment.domain, segment.epoch, error.detail):
                log.error('The table of domain "%s" is damaged: %s', segment.domain, error.detail)
