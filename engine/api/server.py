"""The engine's process: lock, socket, server, and an end within ten seconds."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import uvicorn
from fastapi import FastAPI

from engine.api.app import create_app
from engine.api.connections import Connection, NetworkConnection, SocketConnection
from engine.api.network import Network, NetworkServer, networked
from engine.api.notify import notify
from engine.api.port import Port
from engine.api.sockets import bound, disown, owned
from engine.api.supervision import DRAIN_S, refuse_late, supervise
from engine.config import Paths, Settings
from engine.errors import Refused
from engine.process import leave_settled_objects
from engine.telemetry.audit import AuditLog

GRACE_S = 4.0
"""For calls under way, after event streams and uploads have been ended."""
START_GRACE_S = 2.0
"""For a start that is under way; then it is given up, as if the machine had stopped."""
LIMIT_S = 9.0
"""After this the process ends whatever still runs."""

log = logging.getLogger("engine")


def serve(settings: Settings, build: Callable[[Settings], Port] | None = None) -> None:
    """Run the engine in the foreground until SIGTERM, SIGINT or POST /v1/stop.

    `build` makes the appliance (None: the real one). Raises SocketBusy if another engine holds
    the socket or the home, BadInput or SocketBusy for an address that cannot be listened on, and
    whatever the appliance's start raises.
    """
    with owned(settings.paths):
        appliance = (build or _real)(settings)
        with (
            networked(settings.listen, settings.tls_cert, settings.tls_key) as network,
            bound(settings.paths.socket) as listener,
        ):
            process = Process(
                appliance,
                settings,
                network,
                at_ready=leave_settled_objects,
                at_stop=lambda: _end_for_certain(settings.paths),
            )
            process.run(listener)
    if process.starting:
        # Native code that still loads would bring the interpreter's own end to a crash.
        os._exit(0)


def _real(settings: Settings) -> Port:
    from engine.appliance import Appliance

    appliance = Appliance(settings)
    supervise(appliance)
    return appliance


class Process:
    """Starts the appliance beside the server, and ends both. `at_ready` is called when it has
    started, in a thread, and `at_stop` first when it ends."""

    def __init__(
        self,
        appliance: Port,
        settings: Settings,
        network: Network | None = None,
        at_ready: Callable[[], None] = lambda: None,
        at_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._appliance = appliance
        self._network = network
        self._outside: asyncio.Task[None] | None = None
        self._at_ready = at_ready
        self._at_stop = at_stop
        self._socket = settings.paths.socket
        self._failure: BaseException | None = None
        self._started = threading.Event()
        self._audit = AuditLog(settings.paths.audit)
        self._app = create_app(
            appliance, settings, audit=self._audit, stop=self._stop, lifespan=self._lifespan
        )
        config = self._config(SocketConnection, lifespan="on", keep_alive_s=75)
        self._server = _Server(config, ending=self._end_streams)
        self._network_server: NetworkServer | None = None
        if network is not None:
            config = self._config(
                NetworkConnection, lifespan="off", keep_alive_s=30, tls=network.tls
            )
            self._network_server = NetworkServer(config)

    def _config(
        self,
        connection: type[Connection],
        *,
        lifespan: Literal["on", "off"],
        keep_alive_s: int,
        tls: ssl.SSLContext | None = None,
    ) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=connection,
            ws="none",
            loop="uvloop",
            proxy_headers=False,
            lifespan=lifespan,
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_context_factory=None if tls is None else lambda *_: tls,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=int(GRACE_S),
        )

    @property
    def starting(self) -> bool:
        return not self._started.is_set()

    @property
    def outside(self) -> bool:
        """Whether the network is let in."""
        return self._network_server is not None and self._network_server.started

    def run(self, listener: socket.socket) -> None:
        log.info("Serving on %s (pid %d)", self._socket, os.getpid())
        try:
            self._server.run(sockets=[listener])
        finally:
            self._audit.close()
        if self._failure is not None:
            raise self._failure
        log.info("Stopped")

    def _stop(self) -> None:
        self._server.should_exit = True

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        # A daemon thread: a start that hangs must not keep the process from ending.
        threading.Thread(target=self._start, args=(loop,), name="hmi-start", daemon=True).start()
        yield
        if self._outside is not None:
            await asyncio.wait({self._outside}, timeout=START_GRACE_S)
        started = await asyncio.to_thread(self._started.wait, START_GRACE_S)
        if started and self._failure is None:
            await asyncio.to_thread(self._appliance.close)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        began = time.monotonic()
        try:
            self._appliance.start()
            self._check_keys()
            self._at_ready()
        except BaseException as error:  # noqa: BLE001  raised again by run(), in the main thread
            self._failure = error
            self._stop()
        else:
            log.info("Ready after %.1f s", time.monotonic() - began)
            if self._network_server is not None:
                loop.call_soon_threadsafe(self._listen)
            notify("READY=1")
        finally:
            self._started.set()

    def _check_keys(self) -> None:
        network = self._network
        if network is not None and network.public and not self._appliance.has_keys:
            raise Refused(
                f"{network.url} can be reached from other machines, and nobody has a key.",
                remedy="Start without --listen, make one (hmi key --new, or hmi tenant create), "
                "and start again; or listen on 127.0.0.1.",
                code="no_keys",
            )

    def _listen(self) -> None:
        """Let the network in, now that its keys can be told."""
        network, server = self._network, self._network_server
        if network is None or server is None or self._server.should_exit:
            return
        if network.public and network.tls is None:
            log.warning("%s is not encrypted: keys and texts can be read on the way", network.url)
        log.info("Serving on %s", network.url)
        self._outside = asyncio.get_running_loop().create_task(server.serve([network.listener]))
        self._outside.add_done_callback(self._outside_ended)

    def _outside_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = error
            self._stop()

    def _end_streams(self) -> None:
        log.info("Stopping")
        notify("STOPPING=1")
        self._app.state.stopping = True
        self._at_stop()
        refuse_late(self._appliance)
        if self._network_server is not None:
            self._network_server.should_exit = True
        self._app.state.uploads.end()
        self._appliance.events.close()


class _Server(uvicorn.Server):
    """Ends open streams at shutdown, and leaves signals that it has obeyed alone."""

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        # Whoever comes now reads that the engine stops, instead of meeting nobody.
        await asyncio.sleep(DRAIN_S)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal again at the end, and what follows it never runs.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_for_certain(paths: Paths) -> None:
    def end() -> None:
        log.error("Still running %.0f s after the order to stop; ending now", LIMIT_S)
        disown(paths)
        os._exit(1)

    timer = threading.Timer(LIMIT_S, end)
    timer.daemon = True
    timer.start()
