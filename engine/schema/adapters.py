"""The adapter store."""

from __future__ import annotations

from typing import Literal

from engine.schema.base import Answer, Tier


class Adapter(Answer):
    id: str
    """sha256 of the file."""
    bytes: int
    rank: int
    labels: int
    tier: Tier
    users: list[str]
    created_by: str
    """`random`, or the job that trained it."""
    created_at: float


class AdapterPage(Answer):
    object: Literal["list"] = "list"
    data: list[Adapter]
    total: int
    bytes: int
    next_cursor: str | None = None
