"""Long work beside serving: one job at a time, at low priority, seen and stopped from outside."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from engine.errors import Cancelled, HmiError, NotFound, Unavailable
from engine.serving.threads import ThreadShare
from store.errors import NotFound as NotFoundInStore
from store.errors import StoreError
from store.job_rows import JobRows
from store.rows import JobRow

log = logging.getLogger(__name__)

JobType = Literal["train", "rebuild"]
Series = list[tuple[int, float]]
_NICENESS = 10
_NOT_BEGUN = "The job was cancelled before it began."
_IDLE_CHECK = 1.0
"""Seconds between looks whether the engine is idle, for jobs that wait for that."""
_REMEMBERED = 64
"""Ends that are known without looking: whoever read a row just before it was recorded."""
_RECORD_AGAIN = 2.0
"""Seconds between attempts to record an end that could not be recorded (a full disk)."""


@dataclass(slots=True)
class JobContext:
    """What running work reads and writes. Fields are replaced, never mutated in place."""

    id: str
    progress: float = 0.0
    message: str = "waiting"
    loss: Series = field(default_factory=list)
    accuracy: Series = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    """What is known of the result so far; kept also if the work is cancelled or fails."""
    changed: Callable[[], None] = lambda: None
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        self._stop.set()

    def update(self, progress: float, message: str) -> None:
        """Say how far it is (0 to 1) and what it does."""
        self.progress, self.message = min(max(progress, self.progress), 1.0), message
        self.changed()


Run = Callable[[JobContext], dict[str, Any]]
"""The work itself; returns its result."""


@dataclass(frozen=True, slots=True, eq=False)
class _Queued:
    context: JobContext
    type: JobType
    run: Run
    when_idle: bool


class Jobs:
    """Runs jobs in the order of arrival; those for idle time let others pass."""

    def __init__(
        self,
        rows: JobRows,
        threads: ThreadShare,
        idle: Callable[[], bool],
        notify: Callable[[JobRow, JobContext], None],
        ended: Callable[[str, str], None],
    ) -> None:
        """`notify` hears of every change, `ended` of (type, state) at the end."""
        self._rows = rows
        self._threads = threads
        self._idle = idle
        self._notify = notify
        self._ended = ended
        self._queue: deque[_Queued] = deque()
        self._contexts: dict[str, JobContext] = {}
        self._unrecorded: dict[str, dict[str, Any]] = {}
        self._recent: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin; jobs that the last engine left unfinished are marked so."""
        self._rows.fail_interrupted("The engine ended while the job was running; start it again.")
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel everything; a job stops at its next step."""
        with self._changed:
            self._closed = True
            for context in self._contexts.values():
                context.cancel()
            self._changed.notify()
        self._thread.join(timeout)

    def submit(
        self, type: JobType, subject: str, params: dict[str, Any], run: Run, *, when_idle: bool
    ) -> str:
        """Queue `run` and return the job's id. Unavailable once stopped."""
        if self._closed:
            raise Unavailable("The engine is stopping.", remedy="Start the job once it is back.")
        job = f"{type}-{secrets.token_hex(4)}"
        self._rows.add(
            JobRow(job, type, subject, "queued", params, message="waiting", created_at=time.time())
        )
        context = JobContext(job)
        context.changed = lambda: self._notify(self._rows.get(job), context)
        with self._changed:
            self._contexts[job] = context
            self._queue.append(_Queued(context, type, run, when_idle))
            self._changed.notify()
        context.changed()
        return job

    def context(self, job: str) -> JobContext | None:
        """The live state of a job that has not ended."""
        return self._contexts.get(job)

    def seen(self, row: JobRow) -> JobRow:
        """`row` as it is in truth, also if its end was recorded after it was read, or could not be
        recorded yet."""
        return replace(row, **self._unrecorded.get(row.id, self._recent.get(row.id, {})))

    def cancel(self, job: str) -> None:
        """Stop a job: at once if it waits, else at its next step. NotFound, also for one that has
        ended."""
        with self._changed:
            context = self._contexts.get(job)
            if context is None:
                row = self.seen(self._rows.get(job))
                raise NotFound(
                    f"Job {job} has ended already ({row.state}).", remedy="hmi job ls lists them."
                )
            context.cancel()
            waiting = next((queued for queued in self._queue if queued.context is context), None)
            if waiting is not None:
                self._queue.remove(waiting)
        if waiting is not None:
            self._finish(waiting, "cancelled", _NOT_BEGUN, {})

    def _work(self) -> None:
        # On Linux niceness belongs to the thread; its math threads inherit it.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while (queued := self._next()) is not None:
            try:
                self._run(queued)
            except Exception:
                # Nothing of the kind is foreseen; the jobs behind this one still have a chance.
                log.exception("job %s was given up", queued.context.id)
                with self._changed:
                    self._contexts.pop(queued.context.id, None)

    def _next(self) -> _Queued | None:
        while True:
            self._record_again()
            with self._changed:
                for queued in self._queue:
                    ready = not queued.when_idle or self._idle()
                    if ready or self._closed:
                        self._queue.remove(queued)
                        return queued
                if self._closed:
                    return None
                late = _RECORD_AGAIN if self._unrecorded else None
                self._changed.wait(_IDLE_CHECK if self._queue else late)

    def _run(self, queued: _Queued) -> None:
        context = queued.context
        state, error, result = "failed", None, {}
        try:
            self._rows.change(context.id, state="running", started_at=time.time())
            if context.cancelled():
                raise Cancelled(_NOT_BEGUN)
            with self._threads.beside_serving():
                result = queued.run(context)
            state = "succeeded"
        except Cancelled as stopped:
            state, error = "cancelled", str(stopped)
        except (HmiError, StoreError) as known:
            error = str(known)
        except Exception as unknown:
            log.exception("job %s failed", context.id)
            error = f"{type(unknown).__name__}: {unknown}. The engine's log has the details."
        self._finish(queued, state, error, result)

    def _finish(
        self, queued: _Queued, state: str, error: str | None, result: dict[str, Any]
    ) -> None:
        context = queued.context
        if state == "succeeded":
            context.progress = 1.0
        if error is not None:
            context.message = error
        outcome = {
            "state": state,
            "progress": context.progress,
            "message": context.message,
            "error": error if state == "failed" else None,
            "result": context.result | result,
            "loss": context.loss,
            "accuracy": context.accuracy,
            "finished_at": time.time(),
        }
        # Whoever watches the job must learn of its end, whether the disk has room for it or not.
        self._recent = dict([*self._recent.items(), (context.id, outcome)][-_REMEMBERED:])
        self._unrecorded[context.id] = outcome
        with self._changed:
            del self._contexts[context.id]
        self._record_again()
        self._ended(queued.type, state)
        self._notify(self.seen(self._rows.get(context.id)), context)

    def _record_again(self) -> None:
        for job, outcome in list(self._unrecorded.items()):
            try:
                self._rows.change(job, **outcome)
            except NotFoundInStore:
                pass
            except StoreError as error:
                log.error("the end of job %s cannot be recorded yet: %s", job, error)
                continue
            self._unrecorded.pop(job, None)
