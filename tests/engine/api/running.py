"""A real server on a real socket, in a thread of the test or as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from fastapi import FastAPI

from engine.api.network import Network, networked
from engine.api.port import Port
from engine.api.server import Process, serve
from engine.api.sockets import bound
from engine.client import Client
from engine.config import Paths, Settings
from tests.engine.api.scripted import ScriptedAppliance

DEADLINE_S = 20.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`, which another thread or process brings about."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {DEADLINE_S} s"
        pause.wait(0.01)


@dataclass
class Running:
    appliance: ScriptedAppliance
    settings: Settings
    process: Process
    network: Network | None = None

    @property
    def url(self) -> str:
        """Where it listens on the network."""
        assert self.network is not None
        return self.network.url

    @property
    def app(self) -> FastAPI:
        return self.process._app

    @property
    def socket(self) -> Path:
        return self.settings.paths.socket

    def http(self) -> httpx2.Client:
        """A bare HTTP client, for what the typed one would not send."""
        transport = httpx2.HTTPTransport(uds=str(self.socket))
        return httpx2.Client(transport=transport, base_url="http://hmi", timeout=DEADLINE_S)

    def client(self) -> Client:
        return Client(self.socket, timeout=DEADLINE_S)

    def stop(self) -> None:
        self.process._stop()


@contextmanager
def running(
    home: Path,
    appliance: ScriptedAppliance,
    max_body: int = 8 << 20,
    max_upload: int = 1 << 30,
    listen: str | None = None,
    tls: tuple[Path, Path] | None = None,
) -> Iterator[Running]:
    """Serve `appliance` until the block ends; begins when the engine answers, also on the network
    if it is to `listen` there."""
    settings = Settings(
        paths=Paths.find(home, home / "s"), max_body=max_body, max_upload=max_upload
    )
    certificate, key = tls or (None, None)
    with (
        networked(listen, certificate, key) as network,
        bound(settings.paths.socket) as listener,
    ):
        process = Process(appliance, settings, network)
        thread = threading.Thread(target=process.run, args=(listener,))
        thread.start()
        engine = Running(appliance, settings, process, network)
        try:
            with engine.client() as client:
                until(client.livez, "the start")
                if appliance.may_start.is_set():
                    until(lambda: client.readyz()[0], "readiness")
                    until(lambda: network is None or process.outside, "listening")
            yield engine
        finally:
            appliance.may_start.set()
            process._stop()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def spawn(home: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process of its own that serves a scripted appliance; arguments as in `_main`."""
    command = [sys.executable, "-m", "tests.engine.api.running", str(home), *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _main(home: str, *arguments: str) -> None:
    """`slow`: the start never ends. `failing`: the start fails. `stuck`: closing never ends."""
    import engine.api.server
    import engine.logs
    from engine.errors import Damaged, HmiError

    class Appliance(ScriptedAppliance):
        def close(self) -> None:
            if "stuck" in arguments:
                threading.Event().wait()

    def build(_settings: Settings) -> Port:
        appliance = Appliance(started="slow" not in arguments)
        if "failing" in arguments:
            appliance.fails["start"] = Damaged("model.safetensors is cut short.", remedy="Copy it.")
        return appliance

    if "stuck" in arguments:
        engine.api.server.LIMIT_S = 0.5
    engine.logs.log_to_stderr()
    settings = Settings(paths=Paths.find(home, next(iter(arguments[1:]), None)))
    try:
        serve(settings, build)
    except HmiError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    _main(*sys.argv[1:])
