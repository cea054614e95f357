"""Which task a vPLM's name for it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from engine.errors import BadInput
from engine.model.backbone import Backbone
from engine.model.decoder import Decoder
from engine.model.reading import Text
from engine.model.tagging import Span
from engine.serving.work import TaskName
from engine.training.tasks.classification import Classification
from engine.training.tasks.continuation import Continuation
from engine.training.tasks.multilabel import Multilabel
from engine.training.tasks.regression import Regression
from engine.training.tasks.task import Task
from engine.training.tasks.tokens import Tokens
from store.dataset_files import Example


def task_of(
    name: TaskName,
    labels: tuple[str, ...],
    rows: Sequence[Example],
    backbone: Backbone,
    class_weights: str = "none",
) -> Task:
    """The task `name` with a dataset's rows, which were checked for it when they came.

    `class_weights` are for tasks of one label a row.
    """
    if isinstance(backbone, Decoder):
        return Continuation(backbone, rows)
    if name in ("classify", "pair"):
        return Classification(labels, cast("Sequence[tuple[Text, str]]", rows), class_weights)
    if name == "multilabel":
        return Multilabel(labels, cast("Sequence[tuple[Text, tuple[str, ...]]]", rows))
    if name == "regression":
        return Regression(labels, cast("Sequence[tuple[Text, tuple[float, ...]]]", rows))
    if name == "tokens":
        return Tokens(labels, cast("Sequence[tuple[str, tuple[Span, ...]]]", rows))
    check_learns(name)
    raise AssertionError(f"{name} has no task")


def check_learns(name: TaskName) -> None:
    """BadInput for a task that learns nothing from a dataset."""
    if name != "embedding":
        return
    raise BadInput(
        "An embedding vPLM has no head that could learn from a dataset.",
        remedy="Train a vPLM of another task, and create an embedding vPLM with its adapter "
        "(hmi vplm create --task embedding --adapter ID).",
        code="not_trained",
    )
