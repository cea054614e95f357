"""vPLMs: what they are made of and where they are."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from engine.schema.base import (
    MAX_COUNT,
    MAX_LABEL,
    MAX_LABELS,
    Answer,
    Miss,
    Mode,
    Name,
    Request,
    Tier,
)


def _distinct(labels: list[str]) -> list[str]:
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
    if len(labels) < 2:
        raise ValueError("a classifier needs at least two labels")
    return labels


class VplmSpec(Request):
    tenant: Name
    kind: Literal["classifier"] = "classifier"
    domain: Name = "general"
    labels: list[str] = Field(max_length=MAX_LABELS)
    adapter: str = "random"
    """`random`, or the id (sha256) of an adapter in the store to start from."""
    mode: Mode = "plot"
    rank: int = Field(64, ge=1)
    miss: Miss | None = None
    """None: as the engine was started (--miss)."""

    @field_validator("labels")
    @classmethod
    def _labels_distinct(cls, labels: list[str]) -> list[str]:
        return _distinct(labels)


class VplmCreate(VplmSpec):
    name: Name


class VplmBulkCreate(VplmSpec):
    """`count` vPLMs named NAME-00001 and on, each with its own random parameters."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,54}$")]
    count: int = Field(ge=1, le=MAX_COUNT)


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
    accuracy: float | None
    requests: int
    miss: Miss | None = None
    """Its own miss policy; None: the engine's."""
    last_used: float | None = None
    """When it was last asked; None if never."""
    created_at: float


class VplmPage(Answer):
    object: Literal["list"] = "list"
    data: list[Vplm]
    total: int
    next_cursor: str | None = None


class BulkCreated(Answer):
    created: list[str]
