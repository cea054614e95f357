"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import httpx2

from engine._client.call import Call, Stream, error_of
from engine._client.calls import Calls
from engine._client.link import MAX_EVENT, RECONNECT_S, Link
from engine.config import Paths
from engine.errors import EngineNotRunning, Unavailable
from engine.schema import Job

P = ParamSpec("P")
T = TypeVar("T")


class Client(Calls):
    """Calls the engine over its socket, or over `url` with a `key`; usable from several threads.

    `socket` wins over `paths`, which wins over the default place. `timeout` is in seconds and
    bounds each wait of a call; uploads and bulk creation may take ten minutes, streams any time.
    Every failure is an HmiError; EngineNotRunning if nobody answers.
    Its methods are those of `calls`: where one there gives a Call[T], here it returns a T.
    """

    def __init__(
        self,
        socket: Path | None = None,
        *,
        url: str | None = None,
        key: str | None = None,
        paths: Paths | None = None,
        timeout: float = 60.0,
    ) -> None:
        self._link = Link.to(socket, url, key, paths, timeout)
        transport = self._link.transport()
        self._http = httpx2.Client(transport=transport, **self._link.client_options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ask(self, make: Callable[P, Call[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Send one of `calls`: client.ask(calls.tenant, "acme") is client.tenant("acme")."""
        call = make(*args, **kwargs)
        try:
            return self._send(call)
        except EngineNotRunning:
            if call.unanswered is None:
                raise
            return call.unanswered

    def follow(
        self, make: Callable[P, Stream[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Generator[T, None, None]:
        """What a stream of `calls` tells, until it ends."""
        return self._follow(make(*args, **kwargs))

    def _send(self, call: Call[T]) -> T:
        with self._link.speaking():
            answer = self._http.request(
                call.method,
                call.path,
                params=dict(call.params),
                headers=call.headers,
                content=call.content if call.chunks is None else call.chunks,
                timeout=self._link.timeout_of(call),
            )
        return call.result(answer.status_code, answer.content)

    def _follow(self, stream: Stream[T]) -> Generator[T, None, None]:
        with (
            self._link.speaking(),
            self._http.sse(
                stream.path,
                method=stream.method,
                content=stream.content,
                headers=stream.headers,
                timeout=self._link.stream_timeout,
                max_event_size=MAX_EVENT,
            ) as source,
        ):
            if source.response.status_code >= 400:
                raise error_of(source.response.status_code, source.response.read())
            for event in source:
                if event.data == stream.end:
                    return
                yield stream.read(event.data)

    def watch_job(self, id: str) -> Generator[Job, None, None]:
        """The job now and after each change, until it has ended.

        An interrupted stream is taken up again, and an engine that starts or stops waited for;
        raises EngineNotRunning if it is gone.
        """
        while True:
            with suppress(EngineNotRunning, Unavailable):
                for job in self.job_events(id):
                    yield job
                    if job.ended:
                        return
            with suppress(Unavailable):
                job = self.job(id)
                yield job
                if job.ended:
                    return
            time.sleep(RECONNECT_S)
