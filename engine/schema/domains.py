"""The tree of domains, its corpora and tables."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.schema.base import Answer, Kind, Name, Request

DomainState = Literal["empty", "ready", "rebuilding", "stale", "damaged"]
UpdateTrigger = Literal["manual", "miss_rate", "idle"]


class DomainCreate(Request):
    name: Name
    parent: Name = "general"


class UpdatePolicy(Answer):
    """When a domain learns from its traffic by itself, by a rebuild like the last one.

    By "miss_rate": once more than that share of its lookups missed; by "idle": whenever there is
    hardly any traffic. Either takes `min_lookups` since its table was published, and `cooldown_s`
    since it last was started so.
    """

    update: UpdateTrigger = "manual"
    miss_rate: float = 0.6
    min_lookups: int = 20_000
    cooldown_s: float = 3600.0


class DomainUpdate(Request):
    """What is left out stays as it is."""

    parent: Name | None = None
    update: UpdateTrigger | None = None
    miss_rate: float | None = Field(None, ge=0, lt=1)
    min_lookups: int | None = Field(None, ge=1)
    cooldown_s: float | None = Field(None, ge=0)

    def policy(self) -> dict[str, Any]:
        """What is said of the update policy."""
        return self.model_dump(exclude={"parent"}, exclude_none=True)


class Domain(Answer):
    """A node: `entries` and `bytes` are its own overrides, `view_entries` what a lookup sees."""

    name: str
    parent: str | None
    depth: int
    epoch: int
    entries: int
    bytes: int
    view_entries: int
    hits: int
    misses: int
    hit_rate: float | None
    corpus_bytes: int
    corpus_lines: int
    encoder: Literal["own", "inherited"]
    state: DomainState
    """A stale table was made by another encoder: rows are computed until it is rebuilt."""
    vplms: int
    created_at: float
    damage: str | None = None
    """What is wrong with its table or that of a node above, if it is damaged."""
    policy: UpdatePolicy = UpdatePolicy()
    recent_lookups: int = 0
    """Since its table, or one above it, was last published."""
    recent_miss_rate: float = 0.0
    computed: int = 0
    """Of the misses: rows that were computed for a batch."""
    cached: int = 0
    """Of the misses: rows that had been computed lately."""
    backed_off: int = 0
    """Of the misses: those that took the row of a shorter n-gram."""
    published_at: float | None = None
    """When its epoch was published; None before the first, or if an older engine did that."""
    kind: Kind = "classifier"
    """Whose backbone this is of; its place, text, policy and vPLMs are the same for all."""


class DomainTree(Answer):
    """Nodes depth first, a parent before its children."""

    object: Literal["list"] = "list"
    data: list[Domain]


class CorpusReceipt(Answer):
    domain: str
    lines: int
    bytes: int
    sha256: str
    warnings: list[str] = Field(default_factory=list)
    """What to expect of it, where that is little."""


class RebuildRequest(Request):
    backbone: str | None = Field(None, min_length=1, max_length=160)
    """For which the table is built, and the encoder trained: `name[:version]`; None: the engine's
    own of that kind."""
    kind: Kind | None = None
    """For whose backbone. None: the generators' if all the domain's vPLMs are generators, else the
    classifiers'."""
    alpha: float = Field(0.5, gt=0, le=1)
    budget_bytes: int = Field(256 << 20, ge=0)
    train_minutes: float = Field(0.0, ge=0, le=24 * 60)
    """How long to train the node's own n-gram encoder first; 0 keeps the one it uses."""
    train_from: Literal["current", "scratch"] = "current"
    """Whether training starts from the encoder in use, or from the parent's (for the root, from
    the backbone's own layers)."""
    seed: int = 0
    threshold: float = Field(0.0, ge=0)
    """Mean absolute difference to the inherited row below which an entry is not kept."""
    traffic_weight: float = Field(0.9, ge=0, le=1)
    """The most that traffic counts for beside the corpus, when there is plenty of it."""


class RebuildCost(Answer):
    """What a rebuild would take, about, by a sample of the corpus; training comes on top."""

    domain: str
    kind: Kind = "classifier"
    epoch: int
    """That it would publish."""
    tokens: int
    lookups: int
    """Of its traffic, that it would weigh along."""
    entries: int
    bytes: int
    seconds: float
    train_seconds: float
    disk_free_bytes: int
    warnings: list[str] = Field(default_factory=list)


class DomainEpoch(Answer):
    """A table that the domain serves from, or did."""

    epoch: int
    entries: int
    bytes: int
    alpha: float
    coverage: float
    """Share of corpus and traffic that it answered when it was built, with what it inherits."""
    encoder: Literal["own", "inherited"]
    seconds: float
    """That its rebuild took."""
    hits: int
    lookups: int
    """While it served."""
    hit_rate: float | None
    published_at: float
    replaced_at: float | None
    """None for the one that serves."""


class DomainEpochs(Answer):
    """The newest first."""

    object: Literal["list"] = "list"
    data: list[DomainEpoch]


class NgramEntry(Answer):
    text: str
    ids: list[int]
    count: int
    hits: int
    source: str
    """The node whose row a lookup in this domain gets."""


class NgramPage(Answer):
    object: Literal["list"] = "list"
    data: list[NgramEntry]
    total: int
