"""What the stages and the slots do: a trace for viewers, and what is new for whoever looks on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from engine.api.seen import Engine
from engine.schema import Slot, SlotMap, SpanFeed, Trace, TraceEvent

PIECE = 512
"""Events written at a time: a trace of thousands holds up no request for long."""
MAX_S = 3600.0
MAX_SPANS = 4096
MAX_SLOTS = 4096

router = APIRouter(tags=["engine"])


@router.get(
    "/v1/trace",
    response_class=StreamingResponse,
    responses={200: {"model": Trace}},
    summary="What worked when, as Chrome's trace events for ui.perfetto.dev",
)
def trace(
    appliance: Engine,
    seconds: Annotated[float, Query(gt=0, le=MAX_S, description="How far back.")] = 30.0,
) -> StreamingResponse:
    return StreamingResponse(pieces(appliance.trace(seconds)), media_type="application/json")


@router.get(
    "/v1/spans",
    response_model_exclude_none=True,
    summary="What worked lately, and then only what is new; cheap enough to ask twice a second",
)
def spans(
    appliance: Engine,
    after: Annotated[int | None, Query(ge=0, description="`last` of the answer before.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_SPANS)] = 1024,
) -> SpanFeed:
    return appliance.spans(after, limit)


@router.get("/v1/slots", summary="The device's slots and how hot what is in them is")
def slots(
    appliance: Engine,
    first: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=MAX_SLOTS)] = 1024,
) -> SlotMap:
    return appliance.slots(first, limit)


@router.get("/v1/slots/{slot}", summary="What is in one slot, and which vPLMs it is of")
def one_slot(appliance: Engine, slot: int) -> Slot:
    return appliance.slot(slot)


def pieces(events: Iterable[TraceEvent]) -> Iterator[str]:
    """The JSON of the `Trace` that `events` make up, in pieces."""
    yield '{"displayTimeUnit":"ms","traceEvents":['
    lines = (event.model_dump_json(exclude_none=True) for event in events)
    between = ""
    while some := ",\n".join(islice(lines, PIECE)):
        yield between + some
        between = ",\n"
    yield "]}"
