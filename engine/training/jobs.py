"""Long work beside serving: one job at a time, at low priority, seen and stopped from outside."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from engine.errors import Cancelled, NotFound, Unavailable
from engine.serving.threads import ThreadShare
from engine.training.job import JobContext, JobType, Outcome, Run, Together, attempted, unforeseen
from engine.training.job_ends import JobEnds
from engine.training.job_queue import JobQueue, Queued
from store.errors import StoreError
from store.job_rows import JobRows
from store.rows import JobRow

log = logging.getLogger(__name__)

_NICENESS = 10
_NOT_BEGUN = "The job was cancelled before it began."
_GOES_ON = "The engine ended meanwhile; the job goes on from its last checkpoint."
_IDLE_CHECK = 1.0
"""Seconds between looks whether the engine is idle, for jobs that wait for that."""
_RECORD_AGAIN = 2.0
"""Seconds between attempts to record an end that could not be recorded (a full disk)."""


class Jobs:
    """Runs jobs in the order of arrival; those for idle time let others pass."""

    def __init__(
        self,
        rows: JobRows,
        threads: ThreadShare,
        idle: Callable[[], bool],
        notify: Callable[[JobRow, JobContext], None],
        ended: Callable[[str, str], None],
        most: int = 1,
    ) -> None:
        """`notify` hears of every change, `ended` of (type, state) at the end; a party has `most`
        jobs at most."""
        self._rows, self._threads, self._idle = rows, threads, idle
        self._notify, self._ended = notify, ended
        self._queue = JobQueue(most)
        self._running: list[Queued] = []
        self._contexts: dict[str, JobContext] = {}
        self._ends = JobEnds(rows)
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self, again: Callable[[JobRow], Together | None] = lambda _: None) -> None:
        """Begin. Jobs that the last engine left unfinished go on where `again` says how; the
        others are marked as failed."""
        for row in self._rows.unfinished():
            work = again(row)
            if work is not None:
                self._rows.change(row.id, state="queued", message=_GOES_ON)
                self._enqueue(row, work, when_idle=row.params.get("when") == "idle")
        waiting = list(self._contexts)
        self._rows.fail_interrupted(
            "The engine ended while the job was running; start it again.", but=waiting
        )
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel everything that cannot go on later; a job stops at its next step."""
        with self._changed:
            self._closed = True
            for queued in [*self._queue, *self._running]:
                if not queued.goes_on:
                    queued.context.cancel()
            self._changed.notify()
        self._thread.join(timeout)

    def submit(
        self,
        type: JobType,
        subject: str,
        params: dict[str, Any],
        run: Run | Together,
        *,
        when_idle: bool,
    ) -> str:
        """Queue `run` and return the job's id. Unavailable once stopped."""
        if self._closed:
            raise Unavailable("The engine is stopping.", remedy="Start the job once it is back.")
        job = f"{type}-{secrets.token_hex(4)}"
        row = JobRow(
            job, type, subject, "queued", params, message="waiting", created_at=time.time()
        )
        self._rows.add(row)
        self._enqueue(row, run, when_idle=when_idle).changed()
        return job

    @property
    def closing(self) -> bool:
        """Whether the engine stops: work that can go on later makes ready for that."""
        return self._closed

    def pressing(self) -> bool:
        """Whether a job waits that is not for idle time."""
        with self._changed:
            return any(not queued.when_idle for queued in self._queue)

    def note(self, context: JobContext, **facts: Any) -> None:
        """Write down what a job needs to know when it goes on after the engine's end."""
        context.params = context.params | facts
        self._rows.change(context.id, params=context.params)

    def _enqueue(self, row: JobRow, run: Run | Together, *, when_idle: bool) -> JobContext:
        context = JobContext(row.id, row.params, row.progress, "waiting")
        context.loss, context.accuracy, context.result = row.loss, row.accuracy, row.result
        context.changed = lambda: self._notify(self._rows.get(row.id), context)
        kind = None if callable(run) else run.kind(row.params)
        work: JobType = "rebuild" if row.type == "rebuild" else "train"
        with self._changed:
            self._contexts[row.id] = context
            self._queue.add(Queued(context, work, row.subject, run, when_idle, kind))
            self._changed.notify()
        return context

    def context(self, job: str) -> JobContext | None:
        """The live state of a job that has not ended."""
        return self._contexts.get(job)

    def seen(self, row: JobRow) -> JobRow:
        """`row` as it is in truth, also if its end was recorded after it was read, or could not be
        recorded yet."""
        return self._ends.seen(row)

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
            waiting = self._queue.remove(context)
        if waiting is not None:
            self._finish(waiting, Outcome("cancelled", _NOT_BEGUN))

    def _work(self) -> None:
        # On Linux niceness belongs to the thread; its math threads inherit it.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while party := self._next():
            self._running = party
            try:
                if callable(party[0].run):
                    self._run(party[0], party[0].run)
                else:
                    self._run_party(party, party[0].run)
            except Exception:
                # Nothing of the kind is foreseen; the jobs behind this one still have a chance.
                log.exception("job %s was given up", party[0].context.id)
                with self._changed:
                    for queued in party:
                        self._contexts.pop(queued.context.id, None)
            self._running = []

    def _next(self) -> list[Queued]:
        """The next job, and those that wait and may be taken together with it; none at the end."""
        while True:
            self._ends.record()
            with self._changed:
                if party := self._queue.take(self._idle, closing=self._closed):
                    return party
                if self._closed:
                    return []
                late = _RECORD_AGAIN if self._ends.unrecorded else None
                self._changed.wait(_IDLE_CHECK if self._queue else late)

    def _run_party(self, party: list[Queued], work: Together) -> None:
        left = {queued.context: queued for queued in party}

        def end(context: JobContext, outcome: Outcome) -> None:
            queued = left.pop(context)
            if outcome.state == "queued":
                self._put_back(queued, outcome.message)
            else:
                self._finish(queued, outcome)

        begun: list[JobContext] = []
        for queued in party:
            try:
                self._rows.change(queued.context.id, state="running", started_at=time.time())
                begun.append(queued.context)
            except StoreError as error:
                end(queued.context, Outcome("failed", str(error)))
        try:
            if begun:
                work.run(begun, end, idle=party[0].when_idle)
        except Exception as unknown:
            log.exception("%d jobs failed together", len(left))
            for context in list(left):
                end(context, unforeseen(unknown))

    def _put_back(self, queued: Queued, message: str) -> None:
        """It goes on later: before all others that wait, or with the next engine."""
        context = queued.context
        context.message = message
        with suppress(StoreError):
            self._rows.change(
                context.id,
                state="queued",
                message=message,
                progress=context.progress,
                loss=context.loss,
                accuracy=context.accuracy,
            )
        with self._changed:
            self._queue.put_back(queued)
        with suppress(StoreError):
            context.changed()

    def _run(self, queued: Queued, run: Run) -> None:
        context = queued.context

        def work() -> dict[str, Any]:
            self._rows.change(context.id, state="running", started_at=time.time())
            if context.cancelled():
                raise Cancelled(_NOT_BEGUN)
            with self._threads.beside_serving():
                return run(context)

        self._finish(queued, attempted(context.id, work))

    def _finish(self, queued: Queued, outcome: Outcome) -> None:
        context = queued.context
        context.end(outcome)
        # Whoever watches the job must learn of its end, whether the disk has room for it or not.
        self._ends.add(context, outcome)
        with self._changed:
            del self._contexts[context.id]
        self._ends.record()
        self._ended(queued.type, outcome.state)
        self._notify(self.seen(self._rows.get(context.id)), context)
