"""Long work beside serving: one job at a time, at low priority, seen and stopped from outside."""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

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
_GOES_ON = "The engine ended meanwhile; the job goes on from its last checkpoint."
_IDLE_CHECK = 1.0
"""Seconds between looks whether the engine is idle, for jobs that wait for that."""
_REMEMBERED = 64
"""Ends that are known without looking: whoever read a row just before it was recorded."""
_RECORD_AGAIN = 2.0
"""Seconds between attempts to record an end that could not be recorded (a full disk)."""


@dataclass(slots=True, eq=False)
class JobContext:
    """What running work reads and writes. Fields are replaced, never mutated in place."""

    id: str
    params: dict[str, Any] = field(default_factory=dict)
    """What was asked for, and what the work noted down for when it goes on."""
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job of a party ended; "queued" means that it goes on later."""

    state: Literal["succeeded", "failed", "cancelled", "queued"]
    message: str = ""
    result: dict[str, Any] = field(default_factory=dict)


class Together(Protocol):
    """Work of many jobs at once, which goes on after the engine's end where it was."""

    def kind(self, params: dict[str, Any]) -> Hashable:
        """Jobs of one kind may be taken together."""
        ...

    def run(
        self, party: Sequence[JobContext], end: Callable[[JobContext, Outcome], None], *, idle: bool
    ) -> None:
        """Work on all of them; call `end` for each, once. `idle` says that they are for idle time
        and make way for others."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Queued:
    context: JobContext
    type: JobType
    subject: str
    run: Run | Together
    when_idle: bool
    kind: Hashable = None


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
        self._rows = rows
        self._threads = threads
        self._idle = idle
        self._notify = notify
        self._ended = ended
        self._queue: deque[_Queued] = deque()
        self._running: list[_Queued] = []
        self._contexts: dict[str, JobContext] = {}
        self._unrecorded: dict[str, dict[str, Any]] = {}
        self._recent: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._most = most
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
                if callable(queued.run):
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
            self._queue.append(_Queued(context, work, row.subject, run, when_idle, kind))
            self._changed.notify()
        return context

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

    def _next(self) -> list[_Queued]:
        """The next job, and those that wait and may be taken together with it; none at the end."""
        while True:
            self._record_again()
            with self._changed:
                for queued in self._queue:
                    ready = not queued.when_idle or self._idle()
                    if self._closed and not callable(queued.run):
                        # It stays in the catalogue, for the next engine.
                        continue
                    if ready or self._closed:
                        party = [queued, *self._like(queued)]
                        for one in party:
                            self._queue.remove(one)
                        return party
                if self._closed:
                    return []
                late = _RECORD_AGAIN if self._unrecorded else None
                self._changed.wait(_IDLE_CHECK if self._queue else late)

    def _like(self, first: _Queued) -> list[_Queued]:
        if callable(first.run):
            return []
        # A second job on the same thing waits for what the first makes of it.
        taken = {first.subject}
        found: list[_Queued] = []
        for one in self._queue:
            alike = (one.kind, one.when_idle) == (first.kind, first.when_idle)
            if alike and one.subject not in taken and len(found) < self._most - 1:
                found.append(one)
                taken.add(one.subject)
        return found

    def _run_party(self, party: list[_Queued], work: Together) -> None:
        left = {queued.context: queued for queued in party}

        def end(context: JobContext, outcome: Outcome) -> None:
            queued = left.pop(context)
            if outcome.state == "queued":
                self._put_back(queued, outcome.message)
            else:
                error = None if outcome.state == "succeeded" else outcome.message
                if error is None and outcome.message:
                    context.message = outcome.message
                self._finish(queued, outcome.state, error, outcome.result)

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
            why = f"{type(unknown).__name__}: {unknown}. The engine's log has the details."
            for context in list(left):
                end(context, Outcome("failed", why))

    def _put_back(self, queued: _Queued, message: str) -> None:
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
            self._queue.appendleft(queued)
        with suppress(StoreError):
            context.changed()

    def _run(self, queued: _Queued, run: Run) -> None:
        context = queued.context
        state, error, result = "failed", None, {}
        try:
            self._rows.change(context.id, state="running", started_at=time.time())
            if context.cancelled():
                raise Cancelled(_NOT_BEGUN)
            with self._threads.beside_serving():
                result = run(context)
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
