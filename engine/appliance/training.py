"""Calls about jobs, and training itself."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from engine.appliance.calls import Calls, next_cursor, offset_of
from engine.appliance.publishing import Publication, publish
from engine.appliance.quota import Allowance
from engine.appliance.source import adapter_bytes, store_adapters
from engine.errors import Conflict
from engine.model.adapters import AdapterShape
from engine.schema import Job, JobAccepted, JobPage, Point, Provenance, TrainRequest
from engine.training.data import check_labels
from engine.training.jobs import JobContext
from engine.training.loop import TrainPlan, TrainReport, train
from engine.training.tasks.classification import Classification
from store.rows import AdapterRow, DatasetRow, JobRow, VplmRow


class TrainingCalls(Calls):
    def _check_room(self, vplm: VplmRow) -> None:
        """Refused if the tenant's quota has no room for what training would publish."""
        core = self._core
        shape = AdapterShape(core.adapter_shape.layers, core.adapter_shape.hidden, vplm.rank)
        more = adapter_bytes(core.backbone, shape, vplm.domain, vplm.labels, "train")
        freed = sum(core.catalogue.adapters.bytes_of(self._leaving(vplm)).values())
        allowance = Allowance.of(core.catalogue, vplm.tenant)
        allowance.check(more - freed, 0, "the trained adapter takes")

    def train(self, request: TrainRequest) -> JobAccepted:
        core = self._core
        vplm = core.catalogue.vplms.get(request.vplm)
        dataset = core.catalogue.datasets.get(vplm.tenant, request.dataset)
        check_labels(dataset.labels, vplm.labels, vplm.id)
        self._check_room(vplm)
        job = core.jobs.submit(
            "train",
            vplm.id,
            request.model_dump(),
            lambda context: self._train_kept(request, context),
            when_idle=request.when == "idle",
        )
        return JobAccepted(id=job)

    def jobs(self, state: str | None, limit: int, cursor: str | None) -> JobPage:
        offset = offset_of(cursor)
        rows, total = self._core.catalogue.jobs.page(state, limit, offset)
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

    def _leaving(self, vplm: VplmRow) -> set[str]:
        """Adapters that the tenant keeps no longer once the vPLM has another version."""
        core = self._core
        versions = core.catalogue.versions.of(vplm.tenant, vplm.name)
        going = Counter(row.adapter for row in versions[core.settings.keep_versions - 1 :])
        uses = core.catalogue.holdings.uses
        return {each for each, count in going.items() if uses(vplm.tenant, each) == count}

    def _train_kept(self, request: TrainRequest, context: JobContext) -> dict[str, Any]:
        """What it stores is safe from garbage collection until it is published."""
        with self._core.blobs.keeping():
            return self._train(request, context)

    def _train(self, request: TrainRequest, context: JobContext) -> dict[str, Any]:
        core = self._core
        vplm = core.catalogue.vplms.get(request.vplm)
        # Both may have been replaced while the job waited.
        dataset = core.catalogue.datasets.get(vplm.tenant, request.dataset)
        check_labels(dataset.labels, vplm.labels, vplm.id)
        rows = list(core.datasets.rows(dataset.path_name))
        plan = TrainPlan(
            epochs=request.epochs,
            lr=request.lr,
            batch_size=request.batch_size,
            optimizer=request.optimizer,
            seed=request.seed,
            mode=vplm.mode,
        )
        report = TrainReport()

        def tick() -> None:
            context.loss, context.accuracy = list(report.loss), list(report.accuracy)
            if report.confusion:
                context.result = {"confusion": report.confusion}
            context.update(report.progress, report.message)

        weights = train(
            core.backbone,
            core.tree.take(vplm.domain),
            core.tiers.read(vplm.adapter),
            Classification(vplm.labels, rows),
            plan,
            report,
            tick,
            context.cancelled,
        )
        accuracy = report.accuracy[-1][1]
        self._check_room(vplm)
        stored = store_adapters(
            core.blobs,
            core.backbone,
            [weights],
            domain=vplm.domain,
            labels=vplm.labels,
            created_by=context.id,
            provenance=_provenance(request, context.id, vplm, dataset, report),
        )
        row = self._publish(vplm, stored[0], accuracy)
        context.message = report.message
        return {
            "accuracy": accuracy,
            "version": row.version,
            "adapter": row.adapter,
            "rows": report.rows,
            "held_out": report.held_out,
            "truncated": report.truncated,
            "steps": report.step,
        }

    def _publish(self, trained: VplmRow, adapter: AdapterRow, accuracy: float) -> VplmRow:
        """Let the vPLM answer with `adapter` from now on, if it still is what was trained."""
        core = self._core
        with core.changing:
            try:
                now = core.catalogue.vplms.get(trained.id)
                if (now.created_at, now.adapter) != (trained.created_at, trained.adapter):
                    raise Conflict(
                        f'"{trained.id}" was replaced while the job trained it.',
                        remedy="Start the training again.",
                    )
                made = Publication(adapter.id, accuracy, "trained", adapter.created_by)
                return publish(core, now, made, [adapter])
            except BaseException:
                core.forget_blob(adapter.id)
                raise

    def _job(self, row: JobRow) -> Job:
        live = self._core.jobs.context(row.id)
        row = self._core.jobs.seen(row)
        progress = live.progress if live else row.progress
        loss, accuracy = (live.loss, live.accuracy) if live else (row.loss, row.accuracy)
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
            error=row.error,
            result=live.result if live else row.result,
            created_at=row.created_at,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )


def _provenance(
    request: TrainRequest, job: str, vplm: VplmRow, dataset: DatasetRow, report: TrainReport
) -> Provenance:
    return Provenance(
        job=job,
        vplm=vplm.id,
        parent=vplm.adapter,
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_rows=dataset.rows,
        mode="exact" if vplm.mode == "exact" else "plot",
        hyperparameters=request.model_dump(exclude={"type", "vplm", "dataset", "when"}),
        metrics={
            "accuracy": report.accuracy[-1][1],
            "loss": report.loss[-1][1],
            "held_out_rows": report.held_out,
            "steps": report.step,
        },
    )


def _eta(row: JobRow, progress: float) -> float | None:
    """Seconds to go, by its pace so far; None before it can be told."""
    if row.state != "running" or row.started_at is None or progress < 0.01:
        return None
    return (time.time() - row.started_at) * (1 - progress) / progress
