"""Connections: of the socket, where whoever comes is the operator, and of the network."""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.api import problems
from engine.api.patience import Patience
from engine.caller import Caller
from engine.errors import BadJson, HeadTooLarge, HmiError

MAX_HEAD = 32 << 10
"""Bytes of a request's first line and headers."""
MAX_CONNECTIONS = 1024
"""Over the network at once; more are hung up on, so that descriptors are left for other things."""

PEER = struct.Struct("3i")  # pid, uid, gid


class Connection(HttpToolsProtocol):
    """Bounds the head, and answers what is no HTTP with a problem document."""

    _idle_bytes = 0
    """That came since the last end of a head or part of a body: of a head, or of trailers."""
    _too_large = False

    def data_received(self, data: bytes) -> None:
        self._idle_bytes += len(data)
        super().data_received(data)
        if self._idle_bytes > MAX_HEAD and not self.transport.is_closing():
            self._too_large = True
            self.send_400_response("")

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        self._idle_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD:
            self._too_large = True
            # The parser stops and its owner answers by send_400_response.
            raise ValueError("the head is too large")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  the base's signature
        if self._too_large:
            self.refuse(
                HeadTooLarge(
                    f"The request's first line and headers have more than {MAX_HEAD:,} bytes.",
                    remedy="Send less there; what is long belongs in the body.",
                )
            )
        else:
            self.refuse(
                BadJson(
                    "This is no HTTP request.",
                    remedy="Send HTTP/1.1; over TLS if the engine was given a certificate.",
                    code="bad_http",
                )
            )

    def refuse(self, error: HmiError) -> None:
        """Say so and hang up."""
        answer = problems.response(error)
        phrase = http.HTTPStatus(answer.status_code).phrase
        lines = [f"HTTP/1.1 {answer.status_code} {phrase}".encode()]
        lines += [name + b": " + value for name, value in answer.raw_headers]
        lines += [b"connection: close", b"", bytes(answer.body)]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


class SocketConnection(Connection):
    """Its file lets only the operator in, so that is who calls; the kernel says from where."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # A copy of this goes with each request.
        self.app_state = {**self.app_state, "caller": Caller.operator(_process(transport))}


class NetworkConnection(Connection):
    """Names nobody: a key must. Slow ones are cut off by their server, which asks `too_slow`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._patience = Patience(self.loop.time())
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._patience.head_begins(self.loop.time())

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._patience.head_ends(self.loop.time())

    def on_body(self, body: bytes) -> None:
        self._patience.body(len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._patience.body_ends()
        super().on_message_complete()

    def too_slow(self) -> bool:
        paused = self.flow.write_paused
        return self._patience.ended(
            self.loop.time(),
            reading=not self.flow.read_paused,
            unread=self.transport.get_write_buffer_size() if paused else None,
        )


def _process(transport: asyncio.BaseTransport) -> str:
    """Who is at the other end of a Unix socket."""
    end: Any = transport.get_extra_info("socket")
    pid, uid, _ = PEER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return f"uid {uid} pid {pid}"
