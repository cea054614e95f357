"""The catalogue of backbones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.schema.base import Answer, Name, Request

BackboneState = Literal["own", "loaded", "loading", "unloaded"]
"""The engine's own; in memory beside it; on its way there; or on disk, until a vPLM is asked that
has it."""


class BackboneImport(Request):
    path: str
    """A folder on the engine's machine: config.json, model.safetensors and tokenizer files."""
    name: Name | None = None
    """None: as the folder is called."""
    split: int | None = Field(None, ge=1)
    """How many of its layers are to come from tables; None: half of them."""


class Backbone(Answer):
    id: str
    """`name:version`; what comes with the installation, or was given by its folder, has no
    version."""
    name: str
    version: int | None
    origin: Literal["bundled", "imported", "folder"]
    family: str
    """As its config.json says: bert."""
    sha256: str
    """Of its weights."""
    layers: int
    split: int
    hidden: int
    bytes: int
    """Of its files, or of its weights where it was not imported."""
    folder: str
    serving: bool
    """Whether it is the engine's own, which vPLMs have that name none."""
    state: BackboneState = "unloaded"
    memory_bytes: int = 0
    """Of all that is in memory for it: weights, rows, adapters."""
    vplms: int
    """That have adapters for it."""
    domains: list[str]
    """With a table of its rows."""
    imported_at: float | None = None


class BackboneList(Answer):
    object: Literal["list"] = "list"
    data: list[Backbone]
