"""Some trainings, taken together by the training process, from their beginning to their ends."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from engine.appliance.core import Core
from engine.appliance.learnable import check_learnable, labels_without_rows
from engine.appliance.models import task_name
from engine.appliance.training_result import TrainingResult, publish_trained
from engine.errors import BadInput, Conflict, HmiError
from engine.schema import TrainRequest
from engine.training.checkpoint import Origin
from engine.training.jobs import JobContext, Outcome
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport
from engine.training.worker.knowledge import describe
from engine.training.worker.messages import (
    Drop,
    Ended,
    JobFiles,
    News,
    Pause,
    Release,
    ShiftOver,
    Told,
)
from engine.training.worker.process import TrainingProcess
from store import sums
from store.errors import NotFound, StoreError
from store.files import remove_file
from store.rows import DatasetRow, VplmRow

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


@dataclass(slots=True, eq=False)
class _Member:
    context: JobContext
    request: TrainRequest
    vplm: VplmRow
    dataset: DatasetRow
    files: JobFiles
    missing: tuple[str, ...]
    replaced: int = 0


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
        self._going: dict[str, _Member] = {}
        self._requests = dict(requests)
        self._still = False
        self._released: float | None = None
        """Since when the process has been asked to end the shift."""
        self._deaths = 0
        self._lent: set[Path] = set()

    def run(self) -> None:
        """Until every job has ended or goes on later."""
        for context, request in self._requests.items():
            self._prepare(context, request)
        try:
            self._work()
        finally:
            for path in self._lent:
                path.unlink(missing_ok=True)

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
        try:
            member = self._member(context, request)
        except (HmiError, StoreError) as error:
            self._end(context, Outcome("failed", str(error)))
            return
        if member is not None:
            self._going[context.id] = member

    def _member(self, context: JobContext, request: TrainRequest) -> _Member | None:
        core = self._core
        vplm = core.catalogue.vplms.get(request.vplm)
        begun = context.params.get("began_with")
        if begun is not None and begun != vplm.adapter:
            if core.catalogue.adapters.get(vplm.adapter).created_by == context.id:
                # The engine ended between publishing and writing down that the job had ended.
                done = {"version": vplm.version, "adapter": vplm.adapter, "published": True}
                self._end(context, Outcome("succeeded", "", done))
                return None
            raise _replaced(vplm.id)
        # All may have been replaced while the job waited.
        dataset = core.catalogue.datasets.get(vplm.tenant, request.dataset)
        check_learnable(core, vplm, dataset)
        if begun is None:
            core.jobs.note(context, began_with=vplm.adapter)
        plan = TrainPlan(
            epochs=request.epochs,
            lr=request.rate,
            batch_size=request.batch_size,
            optimizer=request.optimizer,
            schedule=request.schedule,
            warmup=request.warmup,
            weight_decay=request.weight_decay,
            dropout=request.dropout,
            class_weights=request.class_weights,
            patience=request.patience,
            seed=request.seed,
            mode=vplm.mode,
        )
        resumed = None if request.resume is None else checkpoint_of(core, request.resume)
        fresh = request.rank is not None and resumed is None
        start = f"fresh of rank {request.rank}" if fresh else request.resume or vplm.adapter
        folder = core.settings.paths.training
        files = JobFiles(
            id=context.id,
            task=task_name(vplm.task),
            labels=vplm.labels,
            dataset=self._lend(dataset),
            knowledge=describe(core.tree.take(vplm.domain), folder / "hplms"),
            rank=request.rank or vplm.rank,
            start=None if fresh or resumed is not None else vplm.adapter,
            current=vplm.adapter if vplm.accuracy is not None else None,
            resumed=resumed,
            checkpoint=folder / f"{context.id}.checkpoint",
            result=folder / f"{context.id}.result",
            origin=Origin(dataset.sha256, start, plan),
        )
        return _Member(context, request, vplm, dataset, files, labels_without_rows(vplm, dataset))

    def _lend(self, dataset: DatasetRow) -> str:
        """Let the process read these very rows, whoever replaces the dataset meanwhile."""
        path = self._process.site.datasets / dataset.path_name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lent.add(path)
        try:
            os.link(self._core.settings.paths.datasets / dataset.path_name, path)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise NotFound(
                f'The rows of the dataset "{dataset.name}" are not there.',
                remedy="Upload the dataset again.",
            ) from None
        return dataset.path_name

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
        context.result = context.result | _evaluated(report)
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
            still = self._core.busy() or (self._still and not self._core.idle())
            if still != self._still:
                self._still = still
                self._process.order(Pause(still))
                for member in self._going.values():
                    message = _WAITS if still else "goes on: the engine is idle"
                    member.context.update(member.context.progress, message)

    def _look_after_vplms(self) -> None:
        """End the jobs whose vPLM is gone or another by now; nobody will want what they make."""
        for member in list(self._going.values()):
            if (why := self._estranged(member)) is not None:
                self._leave(member, Outcome("failed", why), drop=True)

    def _estranged(self, member: _Member) -> str | None:
        """Why nobody will want what the job makes, if so: its vPLM is gone, or another."""
        try:
            now = self._core.catalogue.vplms.get(member.vplm.id)
        except NotFound as error:
            return str(error)
        same = (now.created_at, now.adapter) == (member.vplm.created_at, member.vplm.adapter)
        return None if same else str(_replaced(now.id))

    def _succeed(self, member: _Member, news: Ended) -> None:
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

    def _fail(self, member: _Member, error: HmiError) -> None:
        # What the process could not find may be what went with the vPLM.
        if (why := self._estranged(member)) is not None:
            self._leave(member, Outcome("failed", why))
            return
        path = member.files.checkpoint
        kept = error.code == "loss_exploded" and path.exists()
        said = str(error)
        if kept:
            said += f" What it had learnt is kept: --resume {member.context.id} begins there."
        self._leave(member, Outcome("failed", said), keep=kept)

    def _again(self, member: _Member) -> None:
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

    def _later(self, member: _Member, message: str) -> None:
        del self._going[member.context.id]
        self._end(member.context, Outcome("queued", message))

    def _leave(
        self, member: _Member, outcome: Outcome, *, drop: bool = False, keep: bool = False
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


def checkpoint_of(core: Core, job: str) -> Path:
    """What a failed job had learnt. BadInput if nothing of it is kept."""
    path = core.settings.paths.training / f"{job}.checkpoint"
    known = core.catalogue.jobs.get(job)
    if known.type != "train" or known.state != "failed" or not path.is_file():
        raise BadInput(
            f"Nothing is kept of what {job} had learnt.",
            remedy="Only a training whose numbers exploded after a checkpoint can be resumed.",
            code="nothing_to_resume",
        )
    return path


def _evaluated(report: TrainReport) -> dict[str, object]:
    if not report.accuracy:
        return {}
    found: dict[str, object] = {"metric": report.metric}
    found |= {"confusion": report.confusion, "classes": report.classes, "measures": report.measures}
    return {name: value for name, value in found.items() if value}


def _replaced(vplm: str) -> Conflict:
    return Conflict(
        f'"{vplm}" was replaced while the job trained it.', remedy="Start the training again."
    )
