"""The engine on the network: an address, TLS from given files, and a server beside the socket's."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from engine.api.connections import NetworkConnection
from engine.errors import BadInput, SocketBusy

_TICKS_A_SECOND = 10
"""Of uvicorn's main loop."""


@dataclass(frozen=True, slots=True)
class Network:
    """Where the engine listens beside its socket: bound, and listening once the server runs."""

    listener: socket.socket
    tls: ssl.SSLContext | None

    @property
    def host(self) -> str:
        return str(self.listener.getsockname()[0])

    @property
    def url(self) -> str:
        host, port = self.listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        return f"{'http' if self.tls is None else 'https'}://{host}:{port}"

    @property
    def public(self) -> bool:
        """Whether others than this machine can reach it."""
        return not ipaddress.ip_address(self.host.partition("%")[0]).is_loopback


@contextmanager
def networked(
    listen: str | None, certificate: Path | None, key: Path | None
) -> Iterator[Network | None]:
    """Bind `listen`, HOST:PORT, for as long as the block runs; None if there is nothing to bind.

    BadInput for what is no address, or for TLS files that cannot be used; SocketBusy if the
    address is taken.
    """
    if listen is None:
        if certificate is not None or key is not None:
            raise BadInput("TLS is of --listen, which was not given.", remedy="Give --listen.")
        yield None
        return
    tls = _tls(certificate, key)
    listener = _bound(listen)
    try:
        yield Network(listener, tls)
    finally:
        listener.close()


class NetworkServer(uvicorn.Server):
    """Serves strangers: cuts slow ones off, and leaves signals to the socket's server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_A_SECOND == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, NetworkConnection) and connection.too_slow():
                    connection.transport.abort()
        return await super().on_tick(counter)


def _bound(listen: str) -> socket.socket:
    host, port = _address(listen)
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except OSError as error:
        raise BadInput(
            f"{host!r} is no host of this machine: {error.strerror or error}.",
            remedy="Give --listen an address such as 127.0.0.1:8300.",
            code="bad_address",
        ) from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # What binds to ::1 or :: must not be reached by IPv4 as well, unasked.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SocketBusy(
            f"{listen} cannot be listened on: {error.strerror or error}.",
            remedy="Choose another address with --listen, or stop what holds it.",
            code="address_taken",
        ) from error
    return listener


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not port.isascii() or not port.isdigit() or int(port) > 0xFFFF:
        raise BadInput(
            f"{listen!r} is no address to listen on.",
            remedy="Write HOST:PORT, such as 127.0.0.1:8300 or [::1]:8300.",
            code="bad_address",
        )
    return host, int(port)


def _tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadInput(
            "TLS needs a certificate and its key.", remedy="Give both --tls-cert and --tls-key."
        )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{certificate} and {key} cannot be used for TLS: {error}.",
            remedy="Give a certificate in PEM form and its own key, readable and without a "
            "password.",
            code="bad_certificate",
        ) from error
    return context


def _no_password() -> str:
    """Without this a key with a password would be asked for on the terminal."""
    raise ValueError("the key has a password")
