"""Server-sent events: the log's stream and a job's, with heartbeats."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TypeVar

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from engine.api.port import Port
from engine.schema import Event, Job

HEARTBEAT_S = 10.0
JOB_TICK_S = 1.0
"""A job is looked at this often even if no event tells of it."""

T = TypeVar("T")


class EventStream(StreamingResponse):
    """A text/event-stream of `frames`, closed for certain when the client has gone.

    `source` is what frames are made of, if it has been begun before them: it is closed even where
    the client was gone before the first frame, which closes no generator that never ran.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[str, None],
        heartbeat: float = HEARTBEAT_S,
        source: AsyncGenerator[object, None] | None = None,
    ) -> None:
        self._beating = _with_heartbeats(frames, heartbeat)
        self._source = source
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._beating, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._source is not None:
                await self._source.aclose()

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._beating):
            await super().stream_response(send)


def frame(data: str, *, event: str, id: int | None = None) -> str:
    """One event on the wire; `data` is JSON on one line."""
    first = "" if id is None else f"id: {id}\n"
    return f"{first}event: {event}\ndata: {data}\n\n"


async def log_frames(events: AsyncGenerator[Event, None]) -> AsyncGenerator[str, None]:
    async with aclosing(events):
        async for event in events:
            yield frame(event.model_dump_json(), event=event.type, id=event.id)


async def job_frames(appliance: Port, id: str) -> AsyncGenerator[str, None]:
    """The job now, after each change, and when it has ended; then the stream ends."""
    async with aclosing(paced(appliance.events.stream(), JOB_TICK_S)) as news:
        job, looked = await _job(appliance, id), time.monotonic()
        yield frame(job.model_dump_json(), event="job")
        if job.ended:
            return
        async for event in news:
            due = time.monotonic() - looked >= JOB_TICK_S
            if not due and event is not None and not _tells_of(event, id):
                continue
            fresh, looked = await _job(appliance, id), time.monotonic()
            if fresh != job:
                job = fresh
                yield frame(job.model_dump_json(), event="job")
            if job.ended:
                return


async def paced(items: AsyncGenerator[T, None], seconds: float) -> AsyncGenerator[T | None, None]:
    """`items`, and None whenever none came for `seconds`; closes `items` at the end."""
    coming: asyncio.Future[T] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(items))
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield None
                continue
            try:
                item = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield item
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming
        await items.aclose()


async def _with_heartbeats(
    frames: AsyncGenerator[str, None], seconds: float
) -> AsyncGenerator[str, None]:
    async with aclosing(paced(frames, seconds)) as beats:
        # A first line at once: the reader knows that it is connected.
        yield ": connected\n\n"
        async for text in beats:
            yield ": still here\n\n" if text is None else text


def _tells_of(event: Event, id: str) -> bool:
    return event.type == "job" and event.data.get("id") == id


async def _job(appliance: Port, id: str) -> Job:
    return await anyio.to_thread.run_sync(appliance.job, id)
