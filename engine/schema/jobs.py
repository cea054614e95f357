"""Datasets, and the long work that uses them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.schema.base import Answer, JobState, Kind, Request, Task


class DatasetReceipt(Answer):
    tenant: str
    name: str
    task: Task = "classify"
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


Optimizer = Literal[
    "adamw", "adam", "sgd", "adafactor", "nadam", "radam", "adamax", "adagrad", "rmsprop"
]
RATES: dict[str, float] = {"sgd": 0.1, "adafactor": 1e-2, "adagrad": 1e-2, "adamax": 2e-3}
"""Learning rates of optimizers that do not do well with the usual one."""
USUAL_RATE = 2e-3
GENERATORS_RATE = 5e-3
"""Instead of the usual one: what turns a whole vocabulary wants more (tests.benchmarks.
generator_adapters tells held-out perplexity by --lr)."""


class TrainRequest(Request):
    """What a field means is its description, which command line and form show as well."""

    type: Literal["train"] = "train"
    vplm: str
    dataset: str
    epochs: int = Field(3, ge=1, le=1000, description="Passes over the data.")
    lr: float | None = Field(
        None,
        gt=0,
        le=1,
        title="Learning rate",
        description="Learning rate; the optimizer's own if left out: 0.002 for most, "
        "0.005 for generators.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="How the rate goes after the warm-up."
    )
    warmup: float = Field(
        0.05, ge=0, lt=1, description="Share of all steps in which the rate rises."
    )
    batch_size: int = Field(32, ge=1, le=4096, description="Rows a step.")
    optimizer: Optimizer = Field("adamw", description="The rule.")
    weight_decay: float = Field(0.01, ge=0, le=1, description="How much weights shrink.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share dropped inside the adapter.")
    class_weights: Literal["none", "sqrt", "balanced"] = Field(
        "none", description="Make rare labels count: by the root of how rare, or in full."
    )
    patience: int = Field(
        0, ge=0, le=1000, description="Stop after so many epochs without a better one; 0: never."
    )
    rank: int | None = Field(
        None, ge=1, description="Begin with a fresh adapter of this rank, not the present one."
    )
    force: bool = Field(
        False, description="Publish even if the held-out metric falls below the present version's."
    )
    resume: str | None = Field(
        None, description="Begin with what that failed job had learnt before its numbers exploded."
    )
    when: Literal["now", "idle"] = Field("now", description="At once, or while idle.")
    seed: int = Field(0, ge=0, lt=1 << 63, description="Decides order and start.")

    def rate(self, task: str) -> float:
        """The learning rate that is meant, for a vPLM of `task`."""
        if self.lr is not None:
            return self.lr
        return RATES.get(self.optimizer, GENERATORS_RATE if task == "generate" else USUAL_RATE)


class ClassReport(Answer):
    """How one label fares among held-out rows; None where there is nothing to divide by."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    """Held-out rows that have it."""


class Confusion(Answer):
    """`counts[i][j]` held-out rows of label i were taken for label j.

    Of very many labels those that are confused least are one, the last.
    """

    labels: list[str]
    counts: list[list[int]]


class JobAccepted(Answer):
    id: str
    kind: Kind | None = None
    """For whose backbone a rebuild is."""


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
    """Held-out, an epoch a point: the task's own metric, such as the share of rows that get their
    label (`result` names it, as `metric`, and all others, as `measures`); for a rebuild that
    trains an encoder, the share of the exact states' variance that it explains."""
    perplexity: list[Point] = Field(default_factory=list)
    """Held-out, an epoch a point, of a generator: one over `accuracy`, the likelihood of a token;
    less is better."""
    error: str | None
    result: dict[str, Any]
    created_at: float
    started_at: float | None
    finished_at: float | None

    @property
    def measure(self) -> str:
        """What `accuracy` counts, in words."""
        if self.type != "train":
            return "explained variance, held-out"
        if self.perplexity:
            return "held-out perplexity"
        return f"held-out {self.result.get('metric', 'accuracy')}"

    @property
    def confusion(self) -> Confusion | None:
        """Of the last evaluation of a training; None before the first."""
        found = self.result.get("confusion")
        return None if found is None else Confusion.model_validate(found)

    @property
    def classes(self) -> list[ClassReport]:
        """Of the last evaluation of a training, a label a line; of very many labels, those that
        fare worst."""
        return [ClassReport.model_validate(each) for each in self.result.get("classes", ())]

    @property
    def ended(self) -> bool:
        return self.state in ("succeeded", "failed", "cancelled")


class JobPage(Answer):
    object: Literal["list"] = "list"
    data: list[Job]
    total: int
    next_cursor: str | None = None
