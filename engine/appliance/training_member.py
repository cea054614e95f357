"""What makes a training ready to be one of a party: all that the training process needs of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.appliance.core import Core
from engine.appliance.learnable import check_learnable, labels_without_rows
from engine.appliance.made_for import knowledge_of, name_of
from engine.appliance.models import task_name
from engine.appliance.training_result import replaced, unchanged
from engine.errors import BadInput, Conflict, HmiError
from engine.schema import TrainRequest
from engine.training.checkpoint import Origin
from engine.training.job import JobContext, Outcome
from engine.training.plan import TrainPlan
from engine.training.worker.knowledge import describe
from engine.training.worker.messages import JobFiles
from store.errors import NotFound, StoreError
from store.rows import DatasetRow, VplmRow


@dataclass(slots=True, eq=False)
class Member:
    """`missing` are labels without rows; `replaced` is how often its domain's table was, while it
    began."""

    context: JobContext
    request: TrainRequest
    vplm: VplmRow
    dataset: DatasetRow
    files: JobFiles
    missing: tuple[str, ...]
    replaced: int = 0

    def estranged(self, core: Core) -> str | None:
        """Why nobody will want what the job makes, if so: its vPLM is gone, or another."""
        try:
            unchanged(core, self.vplm)
        except (NotFound, Conflict) as error:
            return str(error)
        return None


class Admission:
    """Makes trainings ready, and lets the training process read their rows from the folder
    `datasets` until `close`."""

    def __init__(self, core: Core, datasets: Path) -> None:
        self._core, self._folder = core, datasets
        self._lent: set[Path] = set()

    def close(self) -> None:
        for path in self._lent:
            path.unlink(missing_ok=True)

    def admit(self, context: JobContext, request: TrainRequest) -> Member | Outcome:
        """Make it ready; how it ended, if it cannot begin or was done before."""
        try:
            return self._ready(context, request)
        except (HmiError, StoreError) as error:
            if self._core.backbones.closed:
                return Outcome("queued", "goes on when the engine is back")
            return Outcome("failed", str(error))

    def _ready(self, context: JobContext, request: TrainRequest) -> Member | Outcome:
        core = self._core
        vplm = core.catalogue.vplms.get(request.vplm)
        begun = context.params.get("began_with")
        if begun is not None and begun != vplm.adapter:
            if core.catalogue.adapters.get(vplm.adapter).created_by == context.id:
                # The engine ended between publishing and writing down that the job had ended.
                done = {"version": vplm.version, "adapter": vplm.adapter, "published": True}
                return Outcome("succeeded", "", done)
            raise replaced(vplm.id)
        # All may have been replaced while the job waited.
        dataset = core.catalogue.datasets.get(vplm.tenant, request.dataset)
        check_learnable(core, vplm, dataset)
        if begun is None:
            core.jobs.note(context, began_with=vplm.adapter)
        resumed = None if request.resume is None else checkpoint_of(core, request.resume)
        fresh = request.rank is not None and resumed is None
        start = f"fresh of rank {request.rank}" if fresh else request.resume or vplm.adapter
        folder = core.settings.paths.training
        if core.backbones.get(vplm.backbone) is None and vplm.task != "generate":
            context.update(0.0, f"loading backbone {name_of(core, vplm.backbone)}")
        with knowledge_of(core, vplm) as found:
            knowledge = describe(found, folder / "hplms")
        files = JobFiles(
            id=context.id,
            task=task_name(vplm.task),
            labels=vplm.labels,
            dataset=self._lend(dataset),
            knowledge=knowledge,
            rank=request.rank or vplm.rank,
            places=tuple(core.catalogue.adapters.get(vplm.adapter).places.split(",")),
            start=None if fresh or resumed is not None else vplm.adapter,
            current=vplm.adapter if vplm.accuracy is not None else None,
            resumed=resumed,
            checkpoint=folder / f"{context.id}.checkpoint",
            result=folder / f"{context.id}.result",
            origin=Origin(dataset.sha256, start, _plan(request, vplm)),
        )
        return Member(context, request, vplm, dataset, files, labels_without_rows(vplm, dataset))

    def _lend(self, dataset: DatasetRow) -> str:
        """Let the process read these very rows, whoever replaces the dataset meanwhile."""
        path = self._folder / dataset.path_name
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


def checkpoint_of(core: Core, job: str) -> Path:
    """What a failed job had learnt. BadInput if nothing of it is kept."""
    path = core.settings.paths.training / f"{job}.checkpoint"
    known = core.jobs.seen(core.catalogue.jobs.get(job))
    if known.type != "train" or known.state != "failed" or not path.is_file():
        raise BadInput(
            f"Nothing is kept of what {job} had learnt.",
            remedy="Only a training whose numbers exploded after a checkpoint can be resumed.",
            code="nothing_to_resume",
        )
    return path


def _plan(request: TrainRequest, vplm: VplmRow) -> TrainPlan:
    return TrainPlan(
        epochs=request.epochs,
        lr=request.rate(vplm.task),
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
