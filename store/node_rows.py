"""A domain's row taken apart: the node of the tree, and what it knows for one backbone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from store.rows import DomainRow


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What is the same for every backbone; fields as of a DomainRow."""

    name: str
    parent: str | None
    corpus_bytes: int
    corpus_lines: int
    created_at: float
    policy: dict[str, Any]

    @classmethod
    def of(cls, row: DomainRow) -> Self:
        return cls(
            row.name, row.parent, row.corpus_bytes, row.corpus_lines, row.created_at, row.policy
        )


@dataclass(frozen=True, slots=True)
class KnowledgeRow:
    """What is one backbone's; without more said, nothing is known."""

    domain: str
    backbone: str
    epoch: int = 0
    state: str = "empty"
    encoder: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: DomainRow) -> Self:
        return cls(row.name, row.backbone, row.epoch, row.state, row.encoder, row.params)

    @property
    def says_something(self) -> bool:
        return self != KnowledgeRow(self.domain, self.backbone)


def row_of(node: NodeRow, known: Iterable[KnowledgeRow], backbone: str) -> DomainRow:
    """Both together again; `known` is of one row, or of none where nothing is known."""
    row = next(iter(known), KnowledgeRow(node.name, backbone))
    return DomainRow(
        node.name,
        node.parent,
        row.epoch,
        row.state,
        row.encoder,
        node.corpus_bytes,
        node.corpus_lines,
        row.params,
        node.created_at,
        node.policy,
        backbone,
    )
