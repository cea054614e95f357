"""The awaiting client: the same calls for asyncio programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import httpx2

from engine._client.call import Call, Stream, error_of
from engine._client.calls import Calls
from engine._client.link import MAX_EVENT, RECONNECT_S, Link
from engine.config import Paths
from engine.errors import EngineNotRunning, Refused, Unavailable
from engine.schema import Job

P = ParamSpec("P")
T = TypeVar("T")


async def _in_threads(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """`chunks`, read in threads so that slow files do not hold up the loop."""
    remaining: Iterator[bytes] = iter(chunks)
    while (chunk := await asyncio.to_thread(next, remaining, None)) is not None:
        yield chunk


class AsyncClient(Calls):
    """Calls the engine over its socket, or over `url` with a `key`, from one event loop.

    `socket` wins over `paths`, which wins over the default place. `timeout` is in seconds and
    bounds each wait of a call; uploads and bulk creation may take ten minutes, streams any time.
    With `read_only` it refuses to send what would change something.
    Every failure is an HmiError; EngineNotRunning if nobody answers.
    Its methods are those of `calls`: where one there gives a Call[T], here it is awaited for a T.
    """

    def __init__(
        self,
        socket: Path | None = None,
        *,
        url: str | None = None,
        key: str | None = None,
        paths: Paths | None = None,
        timeout: float = 60.0,
        read_only: bool = False,
    ) -> None:
        self._read_only = read_only
        self._link = Link.to(socket, url, key, paths, timeout)
        transport = self._link.waiting_transport()
        self._http = httpx2.AsyncClient(transport=transport, **self._link.client_options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, make: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Send one of `calls`: client.ask(calls.tenant, "acme") is client.tenant("acme")."""
        call = make(*args, **kwargs)
        try:
            return await self._send(call)
        except EngineNotRunning:
            if call.unanswered is None:
                raise
            return call.unanswered

    def follow(
        self, make: Callable[P, Stream[T]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[T, None]:
        """What a stream of `calls` tells, until it ends."""
        return self._follow(make(*args, **kwargs))

    async def _send(self, call: Call[T]) -> T:
        if self._read_only and call.changes:
            raise Refused(
                f"This client only reads; {call.method} {call.path} was not sent.",
                remedy="Use one that may change things.",
                code="read_only",
            )
        with self._link.speaking():
            answer = await self._http.request(
                call.method,
                call.path,
                params=dict(call.params),
                headers=call.headers,
                content=call.content if call.chunks is None else _in_threads(call.chunks),
                timeout=self._link.timeout_of(call),
            )
        return call.result(answer.status_code, answer.content)

    async def _follow(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        with self._link.speaking():
            async with self._http.sse(
                stream.path,
                method=stream.method,
                content=stream.content,
                headers=stream.headers,
                timeout=self._link.stream_timeout,
                max_event_size=MAX_EVENT,
            ) as source:
                if source.response.status_code >= 400:
                    raise error_of(source.response.status_code, await source.response.aread())
                async for event in source:
                    if event.data == stream.end:
                        return
                    yield stream.read(event.data)

    async def watch_job(self, id: str) -> AsyncGenerator[Job, None]:
        """The job now and after each change, until it has ended.

        An interrupted stream is taken up again, and an engine that starts or stops waited for;
        raises EngineNotRunning if it is gone.
        """
        while True:
            with suppress(EngineNotRunning, Unavailable):
                async for job in self.job_events(id):
                    yield job
                    if job.ended:
                        return
            with suppress(Unavailable):
                job = await self.job(id)
                yield job
                if job.ended:
                    return
            await asyncio.sleep(RECONNECT_S)
