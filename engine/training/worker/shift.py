"""One shift of the training process: some jobs, trained in one pass until all have ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from safetensors.torch import save
from torch import Tensor

from engine.errors import Cancelled, Damaged, HmiError
from engine.model.adapters import AdapterShape, AdapterWeights, places_of, random_adapter
from engine.model.backbone import Backbone
from engine.training.checkpoint import resume, save_checkpoint, weights_of
from engine.training.group import Group, evaluate
from engine.training.head_start import head_start
from engine.training.learner import Learner
from engine.training.report import TrainReport
from engine.training.states import Shelf
from engine.training.tasks.choice import task_of
from engine.training.worker.knowledge import identity, open_knowledge
from engine.training.worker.messages import Ended, Failure, JobFiles, News, Site, Told
from engine.training.worker.orders import Orders
from store.blobs import BlobStore
from store.dataset_files import DatasetFiles
from store.errors import StoreError
from store.tables import TableFiles
from store.whole_files import write_whole

log = logging.getLogger(__name__)

CHECKPOINT_S = 10.0
_TELL_S = 0.2


class _Released(Exception):
    """The shift is to end while rows are still being prepared."""


@dataclass(slots=True, eq=False)
class _Pupil:
    """A job in this shift."""

    job: JobFiles
    report: TrainReport = field(default_factory=TrainReport)
    learner: Learner | None = None
    start: AdapterWeights | None = None
    before: float | None = None
    told: float = 0.0


class Shift:
    def __init__(
        self,
        site: Site,
        backbone: Backbone,
        jobs: tuple[JobFiles, ...],
        orders: Orders,
        tell: Callable[[News], None],
    ) -> None:
        self._site, self._backbone, self._orders, self._tell = site, backbone, orders, tell
        self._tables = TableFiles(site.tables)
        self._blobs = BlobStore(site.blobs)
        self._datasets = DatasetFiles(site.datasets)
        self._pupils = [_Pupil(job) for job in jobs]
        self._saved = time.perf_counter()

    def run(self) -> None:
        """Train until every job has ended, each told when it has."""
        try:
            going = [pupil for pupil in self._pupils if self._prepare(pupil)]
        except _Released:
            self._release(self._pupils)
            return
        if not going:
            return
        learners = [pupil.learner for pupil in going if pupil.learner is not None]
        starts = [pupil.start for pupil in going if pupil.start is not None]
        group = Group(self._backbone, learners, starts)
        try:
            for pupil, learner in zip(going, learners, strict=True):
                if resume(learner, pupil.job.checkpoint, pupil.job.origin):
                    self._say(pupil, at_once=True)
                else:
                    self._begin(group, pupil, learner)
        except _Released:
            # No step was made: what is to be taken up again is as it was.
            self._tell_released(going)
            return
        self._train(group, going)

    def _begin(self, group: Group, pupil: _Pupil, learner: Learner) -> None:
        assert pupil.start is not None
        try:
            group.stack.put(learner.place, head_start(self._backbone, learner, pupil.start))
        except Cancelled:
            # It is seen where all ends are.
            return
        except HmiError as error:
            group.failed[learner] = error

    def _train(self, group: Group, going: list[_Pupil]) -> None:
        while going := [pupil for pupil in going if not self._over(group, pupil)]:
            if self._orders.released():
                self._release(going)
                return
            learners = [pupil.learner for pupil in going if pupil.learner is not None]
            self._judge(group, going)
            group.step([one for one in learners if not one.ended])
            self._judge(group, going)
            if time.perf_counter() - self._saved > CHECKPOINT_S:
                self._save([p for p in going if p.learner not in group.failed])

    def _judge(self, group: Group, going: list[_Pupil]) -> None:
        for pupil in going:
            learner = pupil.learner
            if learner is None or learner in group.failed or not learner.due:
                continue
            try:
                learner.judge(group.evaluate(learner, learner.rounded()))
            except (Cancelled, _Released):
                # Whoever looks next sees that; the epoch is judged when the run goes on.
                continue
            except HmiError as error:
                group.failed[learner] = error

    def _over(self, group: Group, pupil: _Pupil) -> bool:
        learner = pupil.learner
        assert learner is not None
        if self._orders.dropped(pupil.job.id):
            self._end(pupil, _cancelled())
        elif learner in group.failed:
            self._end(pupil, group.failed[learner])
        elif learner.ended and not learner.due:
            try:
                weights = learner.outcome()
                made = replace(weights.to(torch.float16), scale=learner.task.scale)
                write_whole(pupil.job.result, save(made.tensors()))
                self._end(pupil, None)
            except (HmiError, StoreError) as error:
                self._end(pupil, error)
        else:
            return False
        learner.cache.close()
        return True

    def _prepare(self, pupil: _Pupil) -> bool:
        """Read what the job needs; False if it has ended already."""
        job = pupil.job
        try:
            self._check(pupil)
            rows = list(self._datasets.rows(job.dataset, job.origin.dataset))
            pupil.start = replace(self._start(job), scale=None)
            plan = job.origin.plan
            task = task_of(job.task, job.labels, rows, self._backbone, plan.class_weights)
            pupil.learner = Learner(
                self._backbone,
                open_knowledge(job.knowledge, self._tables, self._backbone),
                task,
                plan,
                pupil.report,
                tick=lambda: self._say(pupil),
                check=lambda: self._check(pupil),
                shelf=Shelf(self._site.states, identity(job.knowledge)),
            )
            if job.current is not None:
                current = in_units(self._read(job.current, job), task.scale)
                pupil.before = evaluate(self._backbone, pupil.learner, current).value
        except _Released:
            raise
        except (HmiError, StoreError) as error:
            self._end(pupil, error)
            return False
        except Exception as error:
            log.exception("job %s failed", job.id)
            self._end(pupil, _unforeseen(error))
            return False
        return True

    def _start(self, job: JobFiles) -> AdapterWeights:
        if job.resumed is not None:
            weights = weights_of(job.resumed)
            if weights is None:
                raise Damaged(
                    f"The checkpoint {job.resumed} cannot be read.",
                    remedy="Train without it.",
                )
            return weights
        if job.start is not None:
            return self._read(job.start, job)
        backbone = self._backbone
        shape = AdapterShape(
            backbone.shape.layers - backbone.split, backbone.shape.hidden, job.rank
        )
        generator = torch.Generator().manual_seed(job.origin.plan.seed)
        return random_adapter(shape, len(job.labels), generator, places=job.places)

    def _read(self, adapter: str, job: JobFiles) -> AdapterWeights:
        arrays, about = self._blobs.get(adapter)
        found = AdapterWeights.from_arrays(
            arrays, adapter, headless=job.task == "generate", places=places_of(about, adapter)
        )
        return found.to(torch.float32)

    def _check(self, pupil: _Pupil) -> None:
        if self._orders.released():
            raise _Released
        if self._orders.dropped(pupil.job.id):
            raise _cancelled()

    def _release(self, going: list[_Pupil]) -> None:
        self._save(going)
        self._tell_released(going)

    def _tell_released(self, going: list[_Pupil]) -> None:
        for pupil in going:
            self._tell(Ended(pupil.job.id, pupil.report, released=True))

    def _save(self, going: list[_Pupil]) -> None:
        self._saved = time.perf_counter()
        for pupil in going:
            if pupil.learner is not None and pupil.learner.begun:
                save_checkpoint(pupil.learner, pupil.job.checkpoint, pupil.job.origin)

    def _end(self, pupil: _Pupil, error: HmiError | StoreError | None) -> None:
        failure = None if error is None else Failure(error.detail, error.remedy, error.code)
        self._tell(
            Ended(
                pupil.job.id,
                pupil.report,
                failure,
                before=pupil.before,
            )
        )

    def _say(self, pupil: _Pupil, *, at_once: bool = False) -> None:
        now = time.perf_counter()
        if at_once or now - pupil.told >= _TELL_S:
            pupil.told = now
            self._tell(Told(pupil.job.id, pupil.report))


def _cancelled() -> Cancelled:
    return Cancelled("The job was cancelled; the vPLM goes on as it was.")


def _unforeseen(error: Exception) -> HmiError:
    return HmiError(f"{type(error).__name__}: {error}.", remedy="The engine's log has the details.")


def in_units(weights: AdapterWeights, scale: Tensor | None) -> AdapterWeights:
    """An adapter whose head answers in the targets' units, as one that answers in units of
    `scale`."""
    head, bias = weights.served_head()
    if scale is not None:
        mean, unit = scale.float()
        head, bias = head / unit[:, None], (bias - mean) / unit
    return replace(weights, head=head, head_bias=bias, scale=None)
