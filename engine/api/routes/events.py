"""The event stream."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header

from engine.api.events import EventStream, log_frames
from engine.api.seen import Engine

router = APIRouter(tags=["events"])


@router.get(
    "/v1/events",
    status_code=200,
    response_class=EventStream,
    summary="Spans, swaps, epochs and job progress as server-sent events",
)
async def events(
    appliance: Engine, last_event_id: Annotated[str | None, Header()] = None
) -> EventStream:
    """From now on, or after `Last-Event-ID`. A reader that fell behind gets an event of type
    `engine` with `{"dropped": n}`."""
    # An id that no engine gave is ignored, as browsers expect.
    last = int(last_event_id) if last_event_id and last_event_id.isdecimal() else None
    return EventStream(log_frames(appliance.events.stream(last)))
