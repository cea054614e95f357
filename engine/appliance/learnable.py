"""Whether a dataset can train a vPLM, and whether what was asked for goes with its task."""

from __future__ import annotations

from collections import Counter

from engine.appliance.core import Core
from engine.appliance.made_for import backbone_of
from engine.appliance.models import task_name
from engine.appliance.quota import Allowance
from engine.appliance.source import adapter_bytes
from engine.errors import BadInput
from engine.model.adapters import AdapterShape
from engine.schema import TrainRequest
from engine.training.data import check_labels
from engine.training.tasks.choice import check_learns
from engine.training.tasks.regression import check_count
from store.rows import DatasetRow, VplmRow


def check_learnable(core: Core, vplm: VplmRow, dataset: DatasetRow) -> None:
    """BadInput unless the dataset can train the vPLM, Unavailable for a generator where nothing
    generates, and for one whose backbone is not here."""
    name = task_name(vplm.task)
    backbone_of(core, vplm)
    check_learns(name)
    if dataset.task != vplm.task:
        raise BadInput(
            f'The dataset "{dataset.name}" was uploaded for the task {dataset.task}; '
            f'"{vplm.id}" is for {vplm.task}.',
            remedy=f"Upload it again with task={vplm.task} (hmi train does so by itself).",
            code="dataset_task",
        )
    check_labels(dataset.labels, vplm.labels, vplm.id, name)
    if name == "regression":
        _, numbers = next(core.datasets.rows(dataset.path_name))
        check_count(len(numbers), vplm.labels)


def check_request(request: TrainRequest, vplm: VplmRow) -> None:
    """BadInput for hyperparameters that the vPLM's task has no use for."""
    if request.class_weights != "none" and vplm.task not in ("classify", "pair"):
        raise BadInput(
            f'Class weights are for tasks of one label a row; "{vplm.id}" is for {vplm.task}.',
            remedy="Leave --class-weights out.",
        )


def labels_without_rows(vplm: VplmRow, dataset: DatasetRow) -> tuple[str, ...]:
    """Labels that the vPLM knows and no row has: it will hardly ever answer with them."""
    if vplm.task == "regression":
        return ()
    return tuple(label for label in vplm.labels if label not in dataset.labels)


def check_room(core: Core, vplm: VplmRow) -> None:
    """QuotaReached if the tenant's quota has no room for what training would publish."""
    made_for = backbone_of(core, vplm)
    fits = made_for.adapter_shape
    shape = AdapterShape(fits.layers, fits.hidden, vplm.rank)
    places = core.catalogue.adapters.get(vplm.adapter).places.split(",")
    more = adapter_bytes(made_for, shape, places, vplm.domain, vplm.labels, "train")
    freed = sum(core.catalogue.adapters.bytes_of(_leaving(core, vplm)).values())
    allowance = Allowance.of(core.catalogue, vplm.tenant)
    allowance.check(more - freed, 0, "the trained adapter takes")


def _leaving(core: Core, vplm: VplmRow) -> set[str]:
    """Adapters that the tenant keeps no longer once the vPLM has another version."""
    versions = core.catalogue.versions.of(vplm.tenant, vplm.name)
    going = Counter(row.adapter for row in versions[core.settings.keep_versions - 1 :])
    uses = core.catalogue.holdings.uses
    return {each for each, count in going.items() if uses(vplm.tenant, each) == count}
