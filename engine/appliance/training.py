"""Calls about jobs, and training itself."""

from __future__ import annotations

import time

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.learnable import check_learnable, check_request, check_room
from engine.appliance.made_for import backbone_of
from engine.appliance.quota import check_training
from engine.appliance.training_member import checkpoint_of
from engine.appliance.trainings import Trainings
from engine.errors import BadInput
from engine.schema import Job, JobAccepted, JobPage, Point, TrainRequest
from engine.training.report import LIKELIHOOD
from store.rows import JobRow


class TrainingCalls(Calls):
    _trainings: Trainings | None = None

    def train(self, request: TrainRequest) -> JobAccepted:
        core = self._core
        vplm = core.catalogue.vplms.get(request.vplm)
        dataset = core.catalogue.datasets.get(vplm.tenant, request.dataset)
        check_learnable(core, vplm, dataset)
        check_request(request, vplm)
        check_room(core, vplm)
        trained = core.usage.training_seconds().get(vplm.tenant, 0.0)
        check_training(core.catalogue, vplm.tenant, trained)
        limit = backbone_of(core, vplm).adapter_shape.rank
        if request.rank is not None and request.rank > limit:
            raise BadInput(
                f"Rank {request.rank} does not fit: the arena's slots are made for rank {limit}.",
                remedy=f"Choose a rank up to {limit}.",
            )
        if request.resume is not None:
            checkpoint_of(core, request.resume)
        assert self._trainings is not None, "an open engine has them"
        job = core.jobs.submit(
            "train",
            vplm.id,
            request.model_copy(update={"lr": request.rate(vplm.task)}).model_dump(),
            self._trainings,
            when_idle=request.when == "idle",
        )
        return JobAccepted(id=job)

    def jobs(
        self, state: str | None, limit: int, cursor: str | None, tenant: str | None = None
    ) -> JobPage:
        offset = offset_of(cursor)
        rows, total = self._core.catalogue.jobs.page(state, limit, offset, tenant)
        return JobPage(
            data=[self._job(row) for row in rows],
            total=total,
            next_cursor=next_cursor(offset, len(rows), total),
        )

    def job(self, id: str) -> Job:
        return self._job(self._core.catalogue.jobs.get(id))

    def cancel_job(self, id: str) -> Job:
        self._core.jobs.cancel(id)
        return self.job(id)

    def _job(self, row: JobRow) -> Job:
        row = self._core.jobs.seen(row)
        # What an ended one came to is in its row; who ran it knew less, and may still be there.
        going = row.state in ("queued", "running")
        live = self._core.jobs.context(row.id) if going else None
        progress = live.progress if live else row.progress
        loss, accuracy = (live.loss, live.accuracy) if live else (row.loss, row.accuracy)
        result = live.result if live else row.result
        generates = result.get("metric") == LIKELIHOOD
        return Job(
            id=row.id,
            type="rebuild" if row.type == "rebuild" else "train",
            subject=row.subject,
            state=row.state,
            progress=progress,
            eta_s=_eta(row, progress),
            message=live.message if live else row.message,
            params=row.params,
            loss=[Point(step=step, value=value) for step, value in loss],
            accuracy=[Point(step=step, value=value) for step, value in accuracy],
            perplexity=[Point(step=step, value=1 / value) for step, value in accuracy if generates],
            error=row.error,
            result=result,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


def _eta(row: JobRow, progress: float) -> float | None:
    """Seconds to go, by its pace so far; None before it can be told."""
    if row.state != "running" or row.started_at is None or progress < 0.01:
        return None
    return (time.time() - row.started_at) * (1 - progress) / progress
