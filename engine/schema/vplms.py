"""vPLMs: what they are made of and where they are."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from engine.schema.base import (
    MAX_COUNT,
    MAX_LABEL,
    MAX_LABELS,
    PLACES,
    Answer,
    Kind,
    Miss,
    Mode,
    Name,
    Place,
    Request,
    Task,
    Tier,
)

LABELS_NEEDED: dict[Task, int] = {
    "classify": 2,
    "pair": 2,
    "multilabel": 1,
    "tokens": 2,
    "regression": 1,
    "embedding": 0,
    "generate": 0,
}
"""At least so many labels; of a regression they are the names of its numbers."""
_NEEDS: dict[Task, str] = {
    "classify": "a classifier needs at least two labels",
    "pair": "a classifier of pairs needs at least two labels",
    "multilabel": "a multi-label classifier needs at least one label",
    "tokens": "a tagger needs at least two labels, such as O,B-name,I-name or O,name",
    "regression": "a regression needs a name for each of its numbers",
}

_NEEDED: dict[Task, str] = {
    "classify": "labels are needed, at least two",
    "pair": "labels are needed, at least two",
    "multilabel": "labels are needed, at least one",
    "tokens": "labels are needed, such as O,B-name,I-name or O,name",
    "regression": "labels are needed: a name for each of its numbers",
}


def _distinct(labels: list[str], task: Task | None) -> list[str]:
    seen: set[str] = set()
    for label in labels:
        if not label.strip():
            raise ValueError("a label is empty")
        if len(label) > MAX_LABEL:
            raise ValueError(f"a label has {len(label):,} characters; at most {MAX_LABEL}")
        if any(unicodedata.category(character) == "Cc" for character in label):
            raise ValueError(f"label {label!r} holds a control character, such as a line's end")
        if label in seen:
            raise ValueError(f"label {label!r} is given twice; labels must be distinct")
        seen.add(label)
    if task == "embedding" and labels:
        raise ValueError("an embedding vPLM has no labels; leave them out")
    if task == "generate" and labels:
        raise ValueError("a generator has no labels; leave them out")
    if task is not None and len(labels) < LABELS_NEEDED[task]:
        raise ValueError(_NEEDS[task])
    return labels


class VplmSpec(Request):
    tenant: Name
    kind: Kind = "classifier"
    """What its backbone is; a generator's task is generate."""
    task: Task | None = None
    """None: that of what it starts from, or classify."""
    backbone: str | None = Field(None, min_length=1, max_length=160)
    """`name[:version]`; None: that of what it starts from, or the engine's own."""
    domain: Name | None = None
    """None: that of what it starts from, or general."""
    adapter: str = "random"
    """`random`, or the id (sha256) of an adapter in the store to start from. An embedding vPLM that
    is given none embeds as the backbone does."""
    from_vplm: str | None = None
    """A vPLM of the same tenant to start from, `tenant/name`, or a version of it: `:3` added."""
    from_starter: str | None = None
    """A starting point, such as `polarity` (its newest) or `acme/polarity:2`."""
    labels: list[str] = Field(default_factory=list, max_length=MAX_LABELS)
    """Left out, those of what it starts from. Of tokens O, B-x and I-x, or plain ones; of a
    regression its numbers' names; of an embedding none."""
    mode: Mode | None = None
    """None: that of what it starts from, or plot."""
    rank: int = Field(64, ge=1)
    """Of a random adapter; any other brings its own."""
    places: list[Place] = Field(list(PLACES), min_length=1)
    """Where in each upper layer a random adapter sits; one place takes half the bytes of both."""
    miss: Miss | None = None
    """None: as the engine was started (--miss)."""

    @model_validator(mode="before")
    @classmethod
    def _kind_of_its_task(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("task") == "generate":
            return {"kind": "generator", **data}
        return data

    @field_validator("places")
    @classmethod
    def _in_order(cls, places: list[Place]) -> list[Place]:
        return [place for place in PLACES if place in places]

    @field_validator("labels")
    @classmethod
    def _labels_distinct(cls, labels: list[str], given: ValidationInfo) -> list[str]:
        inherits = given.data.get("from_vplm") or given.data.get("from_starter")
        task: Task | None = given.data.get("task")
        # Where the task was refused that is said, and where it is inherited the engine knows it.
        if not labels or "task" not in given.data:
            return labels
        return _distinct(labels, task or (None if inherits else "classify"))

    @property
    def generates(self) -> bool:
        return self.kind == "generator" or self.task == "generate"

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        given = [self.from_vplm, self.from_starter, None if self.adapter == "random" else "id"]
        if sum(one is not None for one in given) > 1:
            raise ValueError("give one of adapter, from_vplm and from_starter")
        inherits = self.from_vplm is not None or self.from_starter is not None
        if self.kind == "generator" and self.task not in (None, "generate"):
            raise ValueError(f"a generator's task is generate, not {self.task}; leave it out")
        if self.generates and self.labels:
            raise ValueError("a generator has no labels; leave them out")
        if not self.labels and not inherits and self.task != "embedding" and not self.generates:
            raise ValueError(_NEEDED[self.task or "classify"])
        return self


class VplmCreate(VplmSpec):
    name: Name


class VplmBulkCreate(VplmSpec):
    """`count` vPLMs named NAME-00001 and on, each with its own random parameters."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,54}$")]
    count: int = Field(ge=1, le=MAX_COUNT)
    first: int = Field(1, ge=1, le=MAX_COUNT)
    """The number of the first: those before it are there already."""


class VplmPatch(Request):
    pin: bool | None = None
    domain: Name | None = None
    mode: Mode | None = None
    miss: Miss | None = None
    """Given as null, the engine's policy holds again; left out, it stays as it is."""


class Vplm(Answer):
    id: str
    tenant: str
    name: str
    kind: str
    task: Task = "classify"
    domain: str
    labels: list[str]
    mode: Mode
    rank: int
    adapter: str
    version: int
    """1 at creation; each published training adds one."""
    tier: Tier
    pinned: bool
    stored_bytes: int
    dedicated_bytes: int
    """What a whole private copy of the backbone with this head would take."""
    bert_base_bytes: int = 0
    """What a model of BERT-base's shape with as many labels would take."""
    accuracy: float | None
    """Held out, when it was trained: the task's own metric."""
    perplexity: float | None = None
    """Of a trained generator, held out: one over its `accuracy`, the likelihood of a token."""
    requests: int
    miss: Miss | None = None
    """Its own miss policy; None: the engine's."""
    last_used: float | None = None
    """When it was last asked; None if never."""
    created_at: float
    backbone: str = ""
    """`name:version`, or its name alone where it was not imported; the beginning of its sha256
    where it is not here any more."""
    backbone_sha256: str = ""
    """Of the weights that its adapters are made for."""
    places: list[Place] = Field(default_factory=list)
    """Where in each upper layer its adapter sits."""


class VplmPage(Answer):
    object: Literal["list"] = "list"
    data: list[Vplm]
    total: int
    next_cursor: str | None = None


Head = Literal["random", "kept", "reordered", "fresh"]
"""What became of the head that a vPLM starts from: all random with its adapter; kept; its labels
put in another order; or, for other labels, random on the adapter's own bottlenecks."""


class Created(Vplm):
    """A new vPLM, and what it starts from."""

    started_from: str = "random"
    """`random`, `adapter ID`, a version such as `acme/polarity:3`, or `starter ID`."""
    head: Head = "random"


class BulkCreated(Answer):
    created: list[str]
    started_from: str = "random"
    head: Head = "random"
