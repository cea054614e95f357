"""Datasets, and the long work that uses them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.schema.base import Answer, JobState, Request


class DatasetReceipt(Answer):
    tenant: str
    name: str
    rows: int
    labels: dict[str, int]
    """Rows of each label."""
    bytes: int


class Dataset(DatasetReceipt):
    """A tenant's labelled texts. None stands for what was not counted when it was received."""

    sha256: str = ""
    """Of the rows as the store keeps them: what a trained adapter names as its data."""
    created_at: float = 0.0
    duplicates: int | None = None
    """Rows that say again what an earlier one said."""
    conflicts: int | None = None
    """Rows whose text stands with another label elsewhere."""
    too_long: int | None = None
    """Texts longer than the backbone reads, which sees their beginning."""
    held_out: int = 0
    """Rows that a training holds out: a tenth of each label, chosen by its seed."""
    jobs: list[str] = Field(default_factory=list)
    """Trainings that wait for it or read it."""


class DatasetPage(Answer):
    object: Literal["list"] = "list"
    data: list[Dataset]
    total: int
    next_cursor: str | None = None


class TrainRequest(Request):
    type: Literal["train"] = "train"
    vplm: str
    dataset: str
    epochs: int = Field(3, ge=1, le=1000)
    lr: float = Field(1e-3, gt=0, le=1)
    batch_size: int = Field(32, ge=1, le=4096)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    when: Literal["now", "idle"] = "now"
    seed: int = 0


class Confusion(Answer):
    """`counts[i][j]` held-out rows of label i were taken for label j.

    Of very many labels those that are confused least are one, the last.
    """

    labels: list[str]
    counts: list[list[int]]


class JobAccepted(Answer):
    id: str


class Point(Answer):
    step: int
    value: float


class Job(Answer):
    id: str
    type: Literal["train", "rebuild"]
    subject: str
    """The vPLM or the domain that it works on."""
    state: JobState
    progress: float
    """0 to 1."""
    eta_s: float | None
    message: str
    """What it is doing, or how it ended, in words."""
    params: dict[str, Any]
    loss: list[Point]
    accuracy: list[Point]
    """Held-out: the share of rows that get their label, an epoch a point; for a rebuild that
    trains an encoder, the share of the exact states' variance that it explains."""
    error: str | None
    result: dict[str, Any]
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def measure(self) -> str:
        """What `accuracy` counts, in words."""
        return "held-out accuracy" if self.type == "train" else "explained variance, held-out"

    @property
    def confusion(self) -> Confusion | None:
        """Of the last evaluation of a training; None before the first."""
        found = self.result.get("confusion")
        return None if found is None else Confusion.model_validate(found)

    @property
    def ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class JobPage(Answer):
    object: Literal["list"] = "list"
    data: list[Job]
    total: int
    next_cursor: str | None = None
