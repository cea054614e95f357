"""The engine's process: lock, socket, server, and an end within ten seconds."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from engine.api.app import create_app
from engine.api.notify import notify
from engine.api.port import Port
from engine.api.sockets import bound, owned
from engine.api.supervision import DRAIN_S, refuse_late, supervise
from engine.config import Settings
from engine.process import leave_settled_objects

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
    the socket or the home, and whatever the appliance's start raises.
    """
    with owned(settings.paths):
        appliance = (build or _real)(settings)
        path = settings.paths.socket
        with bound(path) as listener:
            process = Process(
                appliance,
                settings,
                at_ready=leave_settled_objects,
                at_stop=lambda: _end_for_certain(path),
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
        at_ready: Callable[[], None] = lambda: None,
        at_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._appliance = appliance
        self._at_ready = at_ready
        self._at_stop = at_stop
        self._socket = settings.paths.socket
        self._failure: BaseException | None = None
        self._started = threading.Event()
        self._app = create_app(appliance, settings, stop=self._stop, lifespan=self._lifespan)
        config = uvicorn.Config(
            self._app,
            http="httptools",
            ws="none",
            loop="uvloop",
            proxy_headers=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(GRACE_S),
        )
        self._server = _Server(config, ending=self._end_streams)

    @property
    def starting(self) -> bool:
        return not self._started.is_set()

    def run(self, listener: socket.socket) -> None:
        log.info("Serving on %s (pid %d)", self._socket, os.getpid())
        self._server.run(sockets=[listener])
        if self._failure is not None:
            raise self._failure
        log.info("Stopped")

    def _stop(self) -> None:
        self._server.should_exit = True

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        # A daemon thread: a start that hangs must not keep the process from ending.
        threading.Thread(target=self._start, name="hmi-start", daemon=True).start()
        yield
        started = await asyncio.to_thread(self._started.wait, START_GRACE_S)
        if started and self._failure is None:
            await asyncio.to_thread(self._appliance.close)

    def _start(self) -> None:
        began = time.monotonic()
        try:
            self._appliance.start()
            self._at_ready()
        except BaseException as error:  # noqa: BLE001  raised again by run(), in the main thread
            self._failure = error
            self._stop()
        else:
            log.info("Ready after %.1f s", time.monotonic() - began)
            notify("READY=1")
        finally:
            self._started.set()

    def _end_streams(self) -> None:
        log.info("Stopping")
        notify("STOPPING=1")
        self._app.state.stopping = True
        self._at_stop()
        refuse_late(self._appliance)
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


def _end_for_certain(socket_path: Path) -> None:
    def end() -> None:
        log.error("Still running %.0f s after the order to stop; ending now", LIMIT_S)
        socket_path.unlink(missing_ok=True)
        os._exit(1)

    timer = threading.Timer(LIMIT_S, end)
    timer.daemon = True
    timer.start()
