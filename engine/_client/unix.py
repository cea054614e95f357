"""A blocking transport over a Unix socket that closes what it could not connect.

httpcore2's own leaves such a socket to the garbage collector, with a ResourceWarning each time
that a waiting program finds no engine yet.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2


@contextmanager
def _raising(timeout: type[Exception], failure: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise timeout(str(error)) from error
    except OSError as error:
        raise failure(str(error)) from error


class _Stream(httpcore2.NetworkStream):
    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _raising(httpcore2.ReadTimeout, httpcore2.ReadError):
            self._socket.settimeout(timeout)
            return self._socket.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _raising(httpcore2.WriteTimeout, httpcore2.WriteError):
            rest = memoryview(buffer)
            while rest:
                self._socket.settimeout(timeout)
                rest = rest[self._socket.send(rest) :]

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        raise NotImplementedError("there is no TLS on a Unix socket")

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # for an idle connection: the other side has closed it
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))
        return None


class _Backend(httpcore2.NetworkBackend):
    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  the base's signature
    ) -> httpcore2.NetworkStream:
        with _raising(httpcore2.ConnectTimeout, httpcore2.ConnectError):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect(path)
            except OSError:
                connection.close()
                raise
        return _Stream(connection)


class UnixTransport(httpx2.HTTPTransport):
    def __init__(self, path: str, limits: httpx2.Limits) -> None:
        super().__init__(verify=False, trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            uds=path,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(),
        )
