"""What takes up the disk."""

from __future__ import annotations

from typing import Literal

from engine.schema.base import Answer

StoredKind = Literal[
    "adapters", "backbones", "encoders", "tables", "corpora", "datasets", "checkpoints", "catalogue"
]


class Stock(Answer):
    """Files of one kind; the garbage among them is what nothing refers to."""

    kind: StoredKind
    files: int
    bytes: int
    garbage_files: int = 0
    garbage_bytes: int = 0


class Collected(Answer):
    """What a garbage collection has removed."""

    files: int
    bytes: int
    left_bytes: int
    """Garbage that stays for now: it is younger than an hour, and somebody may be about to refer to
    it. What a crash left half-written goes when the engine starts."""


class Storage(Answer):
    """The home's data, by kind, and the file system that it is on."""

    object: Literal["storage"] = "storage"
    path: str
    data: list[Stock]
    bytes: int
    garbage_bytes: int
    """What a garbage collection would free."""
    unused_adapters: int
    unused_adapter_bytes: int
    """Of adapters that were imported and that no vPLM uses; they stay until they are removed."""
    disk_bytes: int
    disk_free_bytes: int
    """Free to the user that the engine runs as."""
