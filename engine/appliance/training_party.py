"""Some trainings, taken together by the training process, from their beginning to their ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from safetensors.torch import load_file

from engine.appliance.core import Core
from engine.appliance.training_member import Admission, Member
from engine.appliance.training_result import TrainingResult, evaluated, publish_trained
from engine.errors import HmiError
from engine.schema import TrainRequest
from engine.training.job import JobContext, Outcome
from engine.training.worker.messages import (
    Drop,
    Ended,
    News,
    Pause,
    Release,
    ShiftOver,
    Told,
)
from engine.training.worker.process import TrainingProcess
from store import sums
from store.errors import StoreError
from store.files import remove_file

log = logging.getLogger(__name__)

_LOOK_S = 0.1
"""Seconds between looks whether a job was cancelled, its vPLM replaced, or load has come."""
_CHECK_S = 1.0
_DEATHS = 3
"""The training process may die so often before its jobs fail."""
_RELEASE_S = 3.0
_LEAVE_S = 2.0
"""Seconds that an engine which stops waits for last checkpoints."""
_TIMES_REPLACED = 3
_CANCELLED = "The job was cancelled; the vPLM goes on as it was."
_STARTS = "starting the training process"
_WAITS = "waits: the engine is busy, and the job is for idle time"
_LATER = "goes on from its last checkpoint when the engine is back"
_MAKES_WAY = "makes way for a job that is not for idle time; goes on after it"


class TrainingParty:
    """One run of `Trainings.run`."""

    def __init__(
        self,
        core: Core,
        process: TrainingProcess,
        requests: Mapping[JobContext, TrainRequest],
        end: Callable[[JobContext, Outcome], None],
        *,
        idle: bool,
    ) -> None:
        self._core, self._process, self._end, self._idle = core, process, end, idle
        self._admission = Admission(core, process.site.datasets)
        self._going: dict[str, Member] = {}
        self._requests = dict(requests)
        self._still = False
        self._released: float | None = None
        """Since when the process has been asked to end the shift."""
        self._deaths = 0

    def run(self) -> None:
        """Until every job has ended or goes on later."""
        for context, request in self._requests.items():
            self._prepare(context, request)
        try:
            self._work()
        finally:
            self._admission.close()

    def _work(self) -> None:
        while self._going:
            if self._process.pid is None:
                for member in self._going.values():
                    member.context.update(member.context.progress, _STARTS)
            self._process.begin(tuple(member.files for member in self._going.values()))
            try:
                self._follow()
            except EOFError:
                self._died()
        # The next party need not wait for what is being written; a shift that hangs is ended.
        if not self._core.jobs.closing and not self._process.rest(_RELEASE_S):
            self._process.stop()

    def _prepare(self, context: JobContext, request: TrainRequest) -> None:
        found = self._admission.admit(context, request)
        if isinstance(found, Outcome):
            self._end(context, found)
        else:
            self._going[context.id] = found

    def _follow(self) -> None:
        """Hear the process until its shift is over. EOFError if it dies."""
        checked = time.monotonic()
        while True:
            news = self._process.news(_LOOK_S)
            if isinstance(news, ShiftOver):
                return
            self._hear(news)
            self._steer()
            if not self._going:
                return
            if time.monotonic() - checked > _CHECK_S:
                checked = time.monotonic()
                self._look_after_vplms()

    def _hear(self, news: News | None) -> None:
        if not isinstance(news, Told | Ended):
            return
        member = self._going.get(news.job)
        if member is None:
            # It was cancelled meanwhile.
            return
        context, report = member.context, news.report
        context.loss, context.accuracy = report.loss, report.accuracy
        context.result = context.result | evaluated(report)
        if isinstance(news, Told):
            self._deaths = 0
            context.update(report.progress, _WAITS if self._still else report.message)
        elif news.released:
            self._later(member, _LATER if self._core.jobs.closing else _MAKES_WAY)
        elif news.failure is not None and news.failure.code == "table_replaced":
            self._again(member)
        elif news.failure is not None:
            self._fail(member, news.failure.error())
        else:
            self._succeed(member, news)

    def _steer(self) -> None:
        """Pass on what was asked for meanwhile, and keep out of serving's way."""
        for member in list(self._going.values()):
            if member.context.cancelled():
                self._leave(member, Outcome("cancelled", _CANCELLED), drop=True)
        jobs = self._core.jobs
        if jobs.closing or (self._idle and jobs.pressing()):
            if self._released is None:
                self._released = time.monotonic()
                self._process.order(Release())
            elif jobs.closing and time.monotonic() - self._released > _LEAVE_S:
                # At the lowest priority it may not get to it; the checkpoints before are whole.
                self._process.stop(patience=0.5)
                raise EOFError
        elif self._idle:
            # Load that has just come does not show in the averages of what is idle.
            still = self._core.idleness.busy() or (self._still and not self._core.idleness.idle())
            if still != self._still:
                self._still = still
                self._process.order(Pause(still))
                for member in self._going.values():
                    message = _WAITS if still else "goes on: the engine is idle"
                    member.context.update(member.context.progress, message)

    def _look_after_vplms(self) -> None:
        """End the jobs whose vPLM is gone or another by now; nobody will want what they make."""
        for member in list(self._going.values()):
            if (why := member.estranged(self._core)) is not None:
                self._leave(member, Outcome("failed", why), drop=True)

    def _succeed(self, member: Member, news: Ended) -> None:
        try:
            tensors = load_file(member.files.result)
            result = TrainingResult(
                member.vplm,
                member.dataset,
                member.request,
                member.context.id,
                news.report,
                news.before,
                member.missing,
                tensors,
            )
            message, found = publish_trained(self._core, result)
        except (HmiError, StoreError) as error:
            self._leave(member, Outcome("failed", str(error)))
        else:
            self._leave(member, Outcome("succeeded", message, found))

    def _fail(self, member: Member, error: HmiError) -> None:
        # What the process could not find may be what went with the vPLM.
        if (why := member.estranged(self._core)) is not None:
            self._leave(member, Outcome("failed", why))
            return
        path = member.files.checkpoint
        kept = error.code == "loss_exploded" and path.exists()
        said = str(error)
        if kept:
            said += f" What it had learnt is kept: --resume {member.context.id} begins there."
        self._leave(member, Outcome("failed", said), keep=kept)

    def _again(self, member: Member) -> None:
        """Its domain's table was replaced while it began: with the new one, then."""
        member.replaced += 1
        del self._going[member.context.id]
        if member.replaced > _TIMES_REPLACED:
            why = f'The table of domain "{member.vplm.domain}" is replaced again and again.'
            self._end(member.context, Outcome("failed", why))
            return
        self._prepare(member.context, member.request)
        if (anew := self._going.get(member.context.id)) is not None:
            anew.replaced = member.replaced

    def _later(self, member: Member, message: str) -> None:
        del self._going[member.context.id]
        self._end(member.context, Outcome("queued", message))

    def _leave(
        self, member: Member, outcome: Outcome, *, drop: bool = False, keep: bool = False
    ) -> None:
        """The job has ended; its files go."""
        del self._going[member.context.id]
        if drop:
            self._process.order(Drop(member.context.id))
        if not keep:
            sums.remove(member.files.checkpoint)
        remove_file(member.files.result)
        self._end(member.context, outcome)

    def _died(self) -> None:
        """The training process is gone; what it did since the last checkpoints is done again."""
        self._deaths += 1
        self._still = False
        core = self._core
        if core.jobs.closing:
            for member in list(self._going.values()):
                self._later(member, _LATER)
            return
        log.error("the training process has died; %d jobs go on", len(self._going))
        for member in list(self._going.values()):
            if self._deaths >= _DEATHS:
                why = (
                    f"The training process died {_DEATHS} times without getting further; the "
                    "engine's log may say why (hmi logs)."
                )
                self._leave(member, Outcome("failed", why))
            else:
                said = "the training process died; going on from the last checkpoint"
                member.context.update(member.context.progress, said)
