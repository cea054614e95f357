"""The spans of the stages, as a document that trace viewers open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from engine.api.port import Engine
from engine.schema import Trace, TraceEvent

PIECE = 512
"""Events written at a time: a trace of thousands holds up no request for long."""
MAX_S = 3600.0

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


def pieces(events: Iterable[TraceEvent]) -> Iterator[str]:
    """The JSON of the `Trace` that `events` make up, in pieces."""
    yield '{"displayTimeUnit":"ms","traceEvents":['
    lines = (event.model_dump_json(exclude_none=True) for event in events)
    between = ""
    while some := ",\n".join(islice(lines, PIECE)):
        yield between + some
        between = ",\n"
    yield "]}"
