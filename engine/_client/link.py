"""Where the engine is, how long to wait for it, and what its silence means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from engine._client.call import PATIENCE_S, Call
from engine._client.unix import UnixTransport
from engine.config import Paths, check_socket_path
from engine.errors import BadInput, EngineNotRunning, Refused, Unavailable

RECONNECT_S = 0.5
MAX_EVENT = 16 << 20

LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30.0)
"""No cap on connections: callers bound their own concurrency. Idle ones go before the engine
closes them (75 s), so that a call never meets a connection that is just being closed."""


@dataclass(frozen=True, slots=True)
class Link:
    """The engine's address: a socket, or a URL."""

    socket: Path | None
    base_url: str
    key: str | None = field(repr=False)
    timeout: float

    @classmethod
    def to(
        cls,
        socket: Path | None,
        url: str | None,
        key: str | None,
        paths: Paths | None,
        timeout: float,
    ) -> Link:
        if url is not None:
            if not url.startswith(("http://", "https://")):
                raise BadInput(f"{url!r} is not a URL.", remedy="Write http://HOST:PORT.")
            return cls(None, url.rstrip("/"), key, timeout)
        path = Path(socket) if socket is not None else (paths or Paths.find()).socket
        check_socket_path(path)
        return cls(path, "http://hmi", key, timeout)

    @property
    def where(self) -> str:
        return str(self.socket) if self.socket is not None else self.base_url

    @property
    def client_options(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        # Proxies of the environment have nothing to do with a local engine.
        return {
            "base_url": self.base_url,
            "headers": headers,
            "timeout": self.timeout,
            "trust_env": False,
        }

    def transport(self) -> httpx2.HTTPTransport:
        if self.socket is None:
            return httpx2.HTTPTransport(limits=LIMITS, trust_env=False)
        return UnixTransport(str(self.socket), LIMITS)

    def waiting_transport(self) -> httpx2.AsyncHTTPTransport:
        if self.socket is None:
            return httpx2.AsyncHTTPTransport(limits=LIMITS, trust_env=False)
        # Loading certificates takes longer than a call; a Unix socket has no use for them.
        uds = str(self.socket)
        return httpx2.AsyncHTTPTransport(uds=uds, limits=LIMITS, trust_env=False, verify=False)

    def timeout_of(self, call: Call[Any]) -> httpx2.Timeout:
        patience = max(PATIENCE_S, self.timeout) if call.slow else self.timeout
        return httpx2.Timeout(patience, connect=self.timeout, pool=None)

    @property
    def stream_timeout(self) -> httpx2.Timeout:
        return httpx2.Timeout(self.timeout, read=None, pool=None)

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Transport failures inside become HmiErrors that name the engine's address."""
        try:
            yield
        except httpx2.TimeoutException as error:
            raise Unavailable(
                f"The engine at {self.where} did not answer in time.",
                remedy="Look at `hmi status` and `hmi logs`, or try again.",
                code="timeout",
            ) from error
        except httpx2.SSEError as error:
            raise Unavailable(
                f"The event stream of {self.where} cannot be read: {error}",
                code="unreadable_answer",
            ) from error
        except httpx2.ConnectError as error:
            if _forbidden(error):
                raise Refused(
                    f"You may not open the socket {self.where}.",
                    remedy="Run the command as the user who started the engine.",
                ) from error
            raise EngineNotRunning(
                f"No engine answers at {self.where}.", remedy="Start it with hmi serve."
            ) from error
        except (httpx2.TransportError, httpx2.StreamError) as error:
            raise EngineNotRunning(
                f"The engine at {self.where} went away during the call.",
                remedy="Start it with hmi serve.",
            ) from error


def _forbidden(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, PermissionError):
        error = error.__cause__ or error.__context__
    return error is not None
