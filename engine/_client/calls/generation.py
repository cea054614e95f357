"""Calls that ask a generator to go on."""

from __future__ import annotations

import json

from engine._client.ask import Asks, Follows
from engine._client.call import Call, Stream, reader
from engine.errors import Unavailable, from_problem
from engine.schema import Completion, CompletionChunk, CompletionRequest


class GenerationCalls:
    @Asks
    @staticmethod
    def complete(request: CompletionRequest) -> Call[Completion]:
        """All at once; `request.stream` must be false."""
        body = _body(request)
        return Call(
            "POST", "/v1/completions", reader(Completion), content=body, asks=True, slow=True
        )

    @Follows
    @staticmethod
    def complete_stream(request: CompletionRequest) -> Stream[CompletionChunk]:
        """As it is said, with what was used in the last chunk. Leaving off (closing the iterator)
        frees what the engine holds for it."""
        told = request.model_copy(update={"stream": True})
        body = _body(told, stream_options={"include_usage": True})
        return Stream("/v1/completions", _chunk, content=body, end="[DONE]")


def _body(request: CompletionRequest, **more: object) -> bytes:
    asked = request.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return json.dumps({**asked, **more}).encode()


def _chunk(data: str) -> CompletionChunk:
    """HmiError if the engine says in mid-stream why it cannot go on."""
    document = json.loads(data)
    problem = document.get("error") if isinstance(document, dict) else None
    if isinstance(problem, dict):
        status = problem.get("status")
        raise from_problem(status if isinstance(status, int) else Unavailable.status, problem)
    return CompletionChunk.model_validate(document)
