"""The short way for the one call that comes thousands of times a minute.

A classification that is in order is answered here, past routing and dependencies. Whatever is not
plainly in order goes the long way, which knows how to refuse it.
"""

from __future__ import annotations

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api import problems
from engine.api.bodies import unless_gone
from engine.api.guard import caller_of
from engine.api.port import Port
from engine.api.seen import seen_by
from engine.errors import HmiError
from engine.schema import ClassifyRequest
from store.errors import StoreError

PATH = "/v1/classify"
SCOPE = "infer"
"""Whoever lacks it goes the long way, which says so."""
_JSON = "application/json"


class Express:
    """Answers POST /v1/classify as its route does, and hands on everything else."""

    def __init__(self, app: ASGIApp, appliance: Port) -> None:
        self._app = app
        self._appliance = appliance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope) if _concerned(scope) else None
        if caller is None or SCOPE not in caller.scopes:
            await self._app(scope, receive, send)
            return
        answer: Response
        try:
            body = await _whole(receive)
            try:
                classification = ClassifyRequest.model_validate_json(body)
            except ValidationError:
                await self._app(scope, _again(body, receive), send)
                return
            appliance = seen_by(caller, self._appliance)
            found = await unless_gone(receive, appliance.classify(classification))
            answer = Response(found.model_dump_json(), media_type=_JSON)
        except (HmiError, StoreError, HTTPException) as error:
            answer = problems.response(error)
        await answer(scope, receive, send)


def _concerned(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
        return False
    kind = Headers(scope=scope).get("content-type", "")
    return kind.partition(";")[0].strip().lower() == _JSON


async def _whole(receive: Receive) -> bytes:
    """The request's body; ClientDisconnect if it breaks off."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, and then what comes after it."""
    given = False

    async def from_the_start() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return from_the_start
