"""Request bodies: their limits, uploads as a stream for blocking readers, and who has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.errors import Unavailable

DRAIN = 64 << 20
"""Bytes of a refused body read to its end, so that the client gets to read the refusal."""

ADAPTERS = "/v1/adapters"

T = TypeVar("T")


class BodyLimit:
    """Refuses bodies over `max_upload` bytes (uploads) or `max_body` (all else) with 413."""

    def __init__(self, app: ASGIApp, max_body: int, max_upload: int) -> None:
        self._app = app
        self._max_body = max_body
        self._max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_upload if _is_upload(scope) else self._max_body
        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdigit() and int(declared) > limit
        taken = 0

        async def receive_within_limit() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if too_large or taken > limit:
                await _drain(message, receive)
                raise HTTPException(413, f"The body has more than {limit:,} bytes, the limit.")
            return message

        await self._app(scope, receive_within_limit, send)


def _is_upload(scope: Scope) -> bool:
    """Texts and datasets are PUT; adapters are posted, for they get their names from us."""
    return bool(scope["method"] == "PUT" or scope["path"].startswith(ADAPTERS))


async def _drain(message: Message, receive: Receive) -> None:
    left = DRAIN
    while left > 0 and message.get("more_body", False):
        message = await receive()
        left -= len(message.get("body", b""))


class Uploads:
    """The uploads under way, which a stopping engine has to give up."""

    def __init__(self) -> None:
        self._scopes: set[anyio.CancelScope] = set()
        self._ending = False

    def end(self) -> None:
        """Give up all uploads, now and from now on; called on the event loop."""
        self._ending = True
        for scope in self._scopes:
            scope.cancel()

    async def feed(self, request: Request, consume: Callable[[Iterator[bytes]], T]) -> T:
        """Run `consume` in a thread on the request's chunks, each fetched when it is asked for.

        A failure of the request (cut off, over the limit) is raised inside `consume`'s iterator,
        so that it can clear away what it has begun.
        """
        stream = request.stream()

        async def fetch() -> bytes | None:
            with anyio.CancelScope() as scope:
                self._scopes.add(scope)
                try:
                    if not self._ending:
                        return await anext(stream, None)
                finally:
                    self._scopes.discard(scope)
            raise Unavailable("The engine is stopping.", remedy="Send it again once it runs.")

        def chunks() -> Iterator[bytes]:
            while (chunk := anyio.from_thread.run(fetch)) is not None:
                if chunk:
                    yield chunk

        try:
            return await anyio.to_thread.run_sync(lambda: consume(chunks()))
        except (ClientDisconnect, HTTPException, Unavailable):
            raise
        except Exception:
            # The client reads the refusal only once it has sent everything.
            while await fetch() is not None:
                pass
            raise


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the client goes away meanwhile.

    The body must have been read already: what comes next can only be the disconnection.
    """
    here = asyncio.current_task()
    assert here is not None, "called in a task"
    gone = asyncio.ensure_future(receive())

    def cancel(_: object) -> None:
        here.cancel()

    gone.add_done_callback(cancel)
    try:
        return await work
    except asyncio.CancelledError:
        if gone.done() and not gone.cancelled():
            here.uncancel()
            raise ClientDisconnect from None
        raise
    finally:
        gone.remove_done_callback(cancel)
        gone.cancel()
