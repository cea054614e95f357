"""The tree of domains, its corpora and tables."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.schema.base import Answer, Name, Request


class DomainCreate(Request):
    name: Name
    parent: Name = "general"


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
    state: Literal["empty", "ready", "rebuilding", "damaged"]
    vplms: int
    created_at: float


class DomainTree(Answer):
    """Nodes depth first, a parent before its children."""

    object: Literal["list"] = "list"
    data: list[Domain]


class CorpusReceipt(Answer):
    domain: str
    lines: int
    bytes: int
    sha256: str


class RebuildRequest(Request):
    alpha: float = Field(0.5, gt=0, le=1)
    budget_bytes: int = Field(256 << 20, ge=0)
    threshold: float = Field(0.0, ge=0)
    """Mean absolute difference to the inherited row below which an entry is not kept."""


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
