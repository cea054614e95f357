"""API keys: what opens the engine's door over TCP."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator

from engine.schema.base import Answer, Request

Scope = Literal["infer", "train", "manage"]
"""What a key may be used for: asking vPLMs; datasets and trainings; all other changes."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

MAX_OVERLAP_S = 30 * 86_400


class KeyCreate(Request):
    scopes: list[Scope] = Field(
        default=list(SCOPES), min_length=1, description="What it may be used for."
    )
    replaces: str | None = Field(
        None, description="The id of a key that it takes the place of, or `all`."
    )
    overlap_s: float = Field(
        0.0, ge=0, le=MAX_OVERLAP_S, description="How long what it replaces goes on working."
    )

    @field_validator("scopes")
    @classmethod
    def _each_once(cls, scopes: list[Scope]) -> list[Scope]:
        return [scope for scope in SCOPES if scope in scopes]


class Key(Answer):
    id: str
    """How the key begins: enough to recognise it, not enough to use it."""
    tenant: str | None
    """None: the operator's."""
    scopes: list[Scope]
    created_at: float
    expires_at: float | None = None
    """When it stops working; None: it does not."""
    last_used: float | None = None
    """Since the engine started."""


class KeyCreated(Key):
    api_key: str
    """Shown once; the catalogue keeps only its digest."""


class KeyList(Answer):
    object: Literal["list"] = "list"
    data: list[Key]


class KeyRotate(Request):
    """A tenant's keys are to be replaced by a new one."""

    overlap_s: float = Field(
        0.0, ge=0, le=MAX_OVERLAP_S, description="How long the old ones go on working."
    )
