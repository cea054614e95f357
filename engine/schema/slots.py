"""The device's slots for adapters, and how much what is in them is asked for."""

from __future__ import annotations

from pydantic import Field

from engine.schema.base import Answer


class Slot(Answer):
    """One slot. A free one, and one that is being filled, has no adapter."""

    slot: int
    adapter: str | None = None
    heat: float | None = None
    """See SlotMap."""
    pinned: bool = False
    held: bool = False
    vplms: list[str] = Field(default_factory=list)
    """Those that use the adapter, at most a hundred of them."""
    users: int = 0
    """How many there are."""


class SlotMap(Answer):
    """`heat[i]` is of slot `first + i`, None if the slot is free; slot 0, the base model's, is none
    of them.

    Heat is how often batches asked for the adapter, each time counting half as much after every
    so many of all batches' asks. It is what eviction goes by.
    """

    slots: int
    slot_bytes: int
    resident: int
    loading: int
    """Slots that are being filled; they count as free here."""
    first: int
    heat: list[float | None]
    pinned: list[int]
    """Slots that the operator keeps, among those told."""
    held: list[int]
    """Slots that a batch under way uses, among those told."""
