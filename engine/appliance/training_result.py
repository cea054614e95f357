"""What a training came to, and whether it becomes the vPLM's next version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from engine.appliance.core import Core
from engine.appliance.learnable import check_room
from engine.appliance.made_for import backbone_of
from engine.appliance.publishing import Publication, publish
from engine.appliance.source import store_adapters
from engine.errors import Conflict
from engine.model.adapters import AdapterWeights
from engine.schema import Provenance, TrainRequest
from engine.training.report import TrainReport, told
from store.rows import AdapterRow, DatasetRow, VplmRow


@dataclass(frozen=True, slots=True, eq=False)
class TrainingResult:
    """`before` is the held-out metric, on the same rows, of what the vPLM answers with now; None
    if that has never been trained. `missing` are labels without rows."""

    vplm: VplmRow
    dataset: DatasetRow
    request: TrainRequest
    job: str
    report: TrainReport
    before: float | None
    missing: tuple[str, ...]
    tensors: Mapping[str, Tensor]


def publish_trained(core: Core, trained: TrainingResult) -> tuple[str, dict[str, Any]]:
    """Publish it, unless it is worse than what the vPLM answers with now; a message and the job's
    result. Conflict if the vPLM is another by now."""
    now = unchanged(core, trained.vplm)
    report, before = trained.report, trained.before
    after = report.value
    found: dict[str, Any] = {
        "accuracy": after,
        "before": before,
        "rows": report.rows,
        "held_out": report.held_out,
        "truncated": report.truncated,
        "duplicates": trained.dataset.duplicates,
        "conflicts": trained.dataset.conflicts,
        "steps": report.step,
    }
    said = report.message
    if trained.missing:
        found["labels_without_rows"] = list(trained.missing)
        said += f"; no row is {', '.join(trained.missing[:5])}"
        said += ", ..." if len(trained.missing) > 5 else ""
    if before is not None and after < before and not trained.request.force:
        kept = {"published": False, "version": now.version, "adapter": now.adapter}
        said += (
            f", worse than {told(report.metric, before)} of version {now.version}, which stays; "
            "--force publishes all the same"
        )
        return said, found | kept
    check_room(core, trained.vplm)
    # What is stored is safe from garbage collection until it is published.
    with core.blobs.keeping():
        stored = store_adapters(
            core.blobs,
            backbone_of(core, trained.vplm),
            [AdapterWeights(**dict(trained.tensors))],
            domain=trained.vplm.domain,
            labels=trained.vplm.labels,
            created_by=trained.job,
            task=trained.vplm.task,
            provenance=_provenance(trained),
        )
        row = _publish(core, trained.vplm, stored[0], after)
    if before is not None:
        said += f" ({told(report.metric, before)} before)"
    return said, found | {"published": True, "version": row.version, "adapter": row.adapter}


def evaluated(report: TrainReport) -> dict[str, object]:
    """What a job's result says of the held-out rows, as far as they have been asked."""
    if not report.accuracy:
        return {}
    found: dict[str, object] = {"metric": report.metric}
    found |= {"confusion": report.confusion, "classes": report.classes, "measures": report.measures}
    return {name: value for name, value in found.items() if value}


def unchanged(core: Core, trained: VplmRow) -> VplmRow:
    """The vPLM as it is now. NotFound if it is gone, Conflict if it is another by now."""
    now = core.catalogue.vplms.get(trained.id)
    if (now.created_at, now.adapter) != (trained.created_at, trained.adapter):
        raise replaced(now.id)
    return now


def replaced(vplm: str) -> Conflict:
    return Conflict(
        f'"{vplm}" was replaced while the job trained it.', remedy="Start the training again."
    )


def _publish(core: Core, trained: VplmRow, adapter: AdapterRow, accuracy: float) -> VplmRow:
    """Let the vPLM answer with `adapter` from now on, if it still is what was trained."""
    with core.changing:
        try:
            now = unchanged(core, trained)
            made = Publication(adapter.id, accuracy, "trained", adapter.created_by)
            return publish(core, now, made, [adapter])
        except BaseException:
            core.leftovers.forget(adapter.id)
            raise


def _provenance(trained: TrainingResult) -> Provenance:
    vplm, dataset, report = trained.vplm, trained.dataset, trained.report
    request = trained.request
    asked = request.model_copy(update={"lr": request.rate(trained.vplm.task)})
    return Provenance(
        job=trained.job,
        vplm=vplm.id,
        parent=vplm.adapter,
        dataset=dataset.name,
        dataset_sha256=dataset.sha256,
        dataset_rows=dataset.rows,
        mode="exact" if vplm.mode == "exact" else "plot",
        hyperparameters=asked.model_dump(exclude={"type", "vplm", "dataset", "when"}),
        metrics={
            "accuracy": report.value,
            "loss": report.loss[-1][1],
            "held_out_rows": report.held_out,
            "steps": report.step,
        },
    )
