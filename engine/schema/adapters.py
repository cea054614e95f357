"""The adapter store."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.schema.base import Answer, Mode, Place, Tier


class Provenance(Answer):
    """Which training made an adapter, of what."""

    job: str
    vplm: str
    parent: str
    """The adapter that it started from."""
    dataset: str
    dataset_sha256: str
    """Of the rows as the store keeps them."""
    dataset_rows: int
    mode: Mode
    """In which its held-out rows were read."""
    hyperparameters: dict[str, str | int | float | bool | None]
    metrics: dict[str, float]


class Adapter(Answer):
    id: str
    """sha256 of the file."""
    bytes: int
    rank: int
    places: list[Place] = Field(default_factory=list)
    """Where in each upper layer it sits."""
    labels: int
    tier: Tier
    users: list[str]
    """vPLMs that answer with it."""
    kept_for: list[str] = Field(default_factory=list)
    """Versions of vPLMs that have it, such as `acme/polarity:3`, and starting points."""
    created_by: str
    """`random`, `import`, or the job that trained it."""
    created_at: float
    domain: str = ""
    """Where its vPLM was when it was made."""
    backbone_sha256: str = ""
    origin: str = ""
    """Of an imported one: what its file says of who made it."""
    label_names: list[str] = Field(default_factory=list)
    """Of an imported one: the labels that its file names, in the head's order."""
    provenance: Provenance | None = None
    """None of one that no training made, or that does not say."""


class AdapterPage(Answer):
    object: Literal["list"] = "list"
    data: list[Adapter]
    total: int
    bytes: int
    next_cursor: str | None = None
    unused: int = 0
    """Adapters in the store that neither a vPLM nor one of its versions nor a starting point
    uses."""
    unused_bytes: int = 0


class AdapterCheck(Answer):
    """What came of reading an adapter's file and hashing it again."""

    id: str
    ok: bool
    detail: str
    """What is wrong with it and what to do, empty if nothing is."""
