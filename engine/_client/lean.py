"""Classification over the socket at a fraction of the client's cost, for whoever asks a lot.

A load simulator shares its cores with the engine that it measures. Through the typed client one
request takes about two milliseconds of them; here it is a line kept open to the socket, one write,
one read and no more of the answer than is looked at.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from engine._client.call import error_of
from engine.config import Paths, check_socket_path
from engine.errors import EngineNotRunning, Refused, Unavailable
from engine.schema import Tier

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_BACKLOG_S = 0.01
"""How long to wait when the engine has more callers than it has taken in."""


@dataclass(frozen=True, slots=True)
class LeanTiming:
    """What an answer says of itself; as engine.schema.Timing, unchecked."""

    queue_s: float
    retrieve_s: float
    load_s: float
    compute_s: float
    hit_rate: float | None
    batch_size: int
    tier: Tier


@dataclass(frozen=True, slots=True)
class LeanAnswer:
    timing: LeanTiming
    tokens: int


class _ClosedError(Exception):
    """The other side closed the line before it answered."""


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.open = False
        self.used = False
        """Whether it has carried an answer already, and so may have been closed for its age."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = b""
        self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # A full backlog refuses a Unix socket in a way that asyncio takes for a connection.
        self.open = bool(transport.get_extra_info("peername"))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Status and body of the answer; _ClosedError."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._end:
            head = self._buffer.find(_HEAD_END)
            if head < 0:
                return
            length = _length_of(self._buffer[: head + 2].lower())
            if length is None:
                self.close()
                return
            self._end = head + len(_HEAD_END) + length
        if len(self._buffer) < self._end:
            return
        buffer, end, self._buffer, self._end = self._buffer, self._end, b"", 0
        answer, self._answer, self.used = self._answer, None, True
        if answer is not None and not answer.done():
            body = buffer[buffer.find(_HEAD_END) + len(_HEAD_END) : end]
            answer.set_result((int(buffer[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002  the base's
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(_ClosedError())

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()


class LeanClient:
    """Connections to the engine on `paths`' socket, as many as requests are unanswered at once.

    `timeout` is in seconds. An async context manager.
    """

    def __init__(self, paths: Paths, timeout: float = 60.0) -> None:
        check_socket_path(paths.socket)
        self._socket = str(paths.socket)
        self._timeout = timeout
        self._idle: list[_Line] = []

    async def classify(self, model: str, input: str) -> LeanAnswer:
        """Ask one vPLM about one text. HmiError, as the client raises it."""
        body = json.dumps({"model": model, "input": input}).encode()
        head = (
            "POST /v1/classify HTTP/1.1\r\nHost: hmi\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(self._timeout):
                status, told = await self._exchange(head.encode() + body)
        except TimeoutError as error:
            raise Unavailable(
                f"The engine at {self._socket} did not answer in time.", code="timeout"
            ) from error
        if status >= 400:
            raise error_of(status, told)
        return _read(told)

    async def close(self) -> None:
        for line in self._idle:
            line.close()
        self._idle.clear()
        # Aborted transports say good-bye in the loop's next round.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        while True:
            line = await self._line()
            try:
                answer = await line.ask(request)
            except _ClosedError:
                if line.used:
                    # It was closed for its age just when it was wanted again.
                    continue
                raise EngineNotRunning(
                    f"The engine at {self._socket} went away during the call.",
                    remedy="Start it with hmi serve.",
                ) from None
            except BaseException:
                line.close()
                raise
            self._idle.append(line)
            return answer

    async def _line(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.open:
                return line
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, line = await loop.create_unix_connection(_Line, self._socket)
            except PermissionError as error:
                raise Refused(
                    f"You may not open the socket {self._socket}.",
                    remedy="Run the command as the user who started the engine.",
                ) from error
            except OSError as error:
                raise EngineNotRunning(
                    f"No engine answers at {self._socket}.", remedy="Start it with hmi serve."
                ) from error
            if line.open:
                return line
            line.close()
            await asyncio.sleep(_BACKLOG_S)


def _length_of(head: bytes) -> int | None:
    at = head.find(_LENGTH)
    if at < 0:
        return None
    at += len(_LENGTH)
    return int(head[at : head.index(b"\r", at)])


def _read(body: bytes) -> LeanAnswer:
    try:
        document: dict[str, Any] = json.loads(body)
        timing = document["timing"]
        return LeanAnswer(
            LeanTiming(
                timing["queue_s"],
                timing["retrieve_s"],
                timing["load_s"],
                timing["compute_s"],
                timing["hit_rate"],
                timing["batch_size"],
                timing["tier"],
            ),
            document["usage"]["prompt_tokens"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            f"The answer to POST /v1/classify cannot be read: {error}",
            remedy="Compare `hmi info` with the engine's version; they should match.",
            code="unreadable_answer",
        ) from error
