"""Ends of jobs, which are known at once and recorded as soon as the disk has room for them."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from engine.training.job import JobContext, Outcome
from store.errors import NotFound, StoreError
from store.job_rows import JobChanges, JobRows
from store.rows import JobRow

log = logging.getLogger(__name__)

_REMEMBERED = 64
"""Ends that are known without looking: whoever read a row just before it was recorded."""


class JobEnds:
    """Added by one thread, seen by many."""

    def __init__(self, rows: JobRows) -> None:
        self._rows = rows
        self._unrecorded: dict[str, JobChanges] = {}
        self._recent: dict[str, JobChanges] = {}

    @property
    def unrecorded(self) -> bool:
        """Whether the catalogue lacks one."""
        return bool(self._unrecorded)

    def add(self, context: JobContext, outcome: Outcome) -> None:
        """Whoever watches the job sees its end from now on; `record` writes it down."""
        end: JobChanges = {
            "state": outcome.state,
            "progress": context.progress,
            "message": context.message,
            "error": outcome.message if outcome.state == "failed" else None,
            "result": context.result | outcome.result,
            "loss": context.loss,
            "accuracy": context.accuracy,
            "finished_at": time.time(),
        }
        self._recent = dict([*self._recent.items(), (context.id, end)][-_REMEMBERED:])
        self._unrecorded[context.id] = end

    def record(self) -> None:
        """Write down what has not been yet; what there is no room for waits for the next time."""
        for job, end in list(self._unrecorded.items()):
            try:
                self._rows.change(job, **end)
            except NotFound:
                pass
            except StoreError as error:
                log.error("the end of job %s cannot be recorded yet: %s", job, error)
                continue
            self._unrecorded.pop(job, None)

    def seen(self, row: JobRow) -> JobRow:
        """`row` as it is in truth, also if its end was recorded after it was read, or could not be
        recorded yet."""
        return replace(row, **self._unrecorded.get(row.id, self._recent.get(row.id, {})))
