"""What the engine tells at a tick of its stages and its slots."""

from __future__ import annotations

from dataclasses import dataclass

from engine.client import AsyncClient
from engine.schema import SlotMap, SpanFeed

SPANS_READ = 4096
SLOTS_READ = 2048
"""At a tick; as many cells as a large terminal has room for."""


@dataclass(frozen=True, slots=True)
class Activity:
    """No spans while the picture is held."""

    spans: SpanFeed | None
    slots: SlotMap


async def read_activity(client: AsyncClient, after: int | None, *, live: bool) -> Activity:
    """What is new after span `after`, unless the picture is held; and the slots. HmiError."""
    spans = await client.spans(after, SPANS_READ) if live else None
    return Activity(spans, await client.slots(limit=SLOTS_READ))
