"""Texts that go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response

from engine.api import problems
from engine.api.bodies import unless_gone
from engine.api.events import EventStream
from engine.api.seen import Engine
from engine.errors import HmiError
from engine.schema import Completion, CompletionChunk, CompletionRequest
from engine.schema.completions import STREAM_END
from store.errors import StoreError

router = APIRouter(prefix="/v1", tags=["inference"])


@router.post(
    "/completions",
    response_model=Completion,
    responses={200: {"content": {"text/event-stream": {}}}},
    summary="Go on from prompts with a generator, in OpenAI's shape",
)
async def completions(
    appliance: Engine, completion: CompletionRequest, request: Request
) -> Response:
    """With `stream` the tokens come as server-sent events, a chunk each, and [DONE] at the end. A
    client that goes away frees what its texts hold."""
    if not completion.stream:
        answer = await unless_gone(request.receive, appliance.complete(completion))
        return Response(answer.model_dump_json(), media_type="application/json")
    chunks = appliance.complete_stream(completion)

    async def first() -> CompletionChunk:
        return await anext(chunks)

    # What refuses the request shows before the first token, while there can still be a status.
    begun = await unless_gone(request.receive, first())
    return EventStream(_frames(begun, chunks), source=chunks)


async def _frames(
    first: CompletionChunk, chunks: AsyncGenerator[CompletionChunk, None]
) -> AsyncGenerator[str, None]:
    async with aclosing(chunks):
        yield first.event()
        try:
            async for chunk in chunks:
                yield chunk.event()
        except (HmiError, StoreError, OSError) as error:
            # The status is out; OpenAI's clients look for this.
            problem = bytes(problems.response(error).body).decode()
            yield f'data: {{"error":{problem}}}\n\n'
            return
        yield STREAM_END
