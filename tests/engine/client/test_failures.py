from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.client import AsyncClient, Client
from engine.errors import (
    BadInput,
    EngineNotRunning,
    NotFound,
    QueueFull,
    Refused,
    Unavailable,
)
from tests.engine.api.running import Running


@contextmanager
def listening(path: Path, answer: bytes | None) -> Iterator[None]:
    """A server that reads a little, says `answer`, and hangs up; None says nothing and stays."""
    done = threading.Event()

    def serve(server: socket.socket) -> None:
        while not done.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                if answer is None:
                    done.wait(10)
                else:
                    connection.sendall(answer)

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_an_absent_socket_means_that_no_engine_runs(tmp_path: Path) -> None:
    with Client(tmp_path / "s") as client:
        assert client.livez() is False
        with pytest.raises(EngineNotRunning) as error:
            client.status()
    assert error.value.remedy == "Start it with hmi serve."
    assert str(tmp_path / "s") in error.value.detail
    assert error.value.exit_code == 3


def test_a_socket_that_nobody_listens_on_means_that_no_engine_runs(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "s"))
    with Client(tmp_path / "s") as client, pytest.raises(EngineNotRunning):
        client.readyz()


async def test_the_awaiting_client_says_the_same(tmp_path: Path) -> None:
    async with AsyncClient(tmp_path / "s") as client:
        assert await client.livez() is False
        with pytest.raises(EngineNotRunning):
            await client.status()
        with pytest.raises(EngineNotRunning):
            async for _ in client.events():
                pass


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"])
async def test_an_engine_that_vanishes_during_a_call_is_not_running(
    tmp_path: Path, said: bytes
) -> None:
    with listening(tmp_path / "s", said):
        with Client(tmp_path / "s") as client, pytest.raises(EngineNotRunning, match="went away"):
            client.status()
        async with AsyncClient(tmp_path / "s") as waiting:
            with pytest.raises(EngineNotRunning, match="went away"):
                await waiting.status()


def test_an_engine_that_does_not_answer_in_time_is_unavailable(tmp_path: Path) -> None:
    with (
        listening(tmp_path / "s", None),
        Client(tmp_path / "s", timeout=0.05) as client,
        pytest.raises(Unavailable, match="in time"),
    ):
        client.status()


def test_an_answer_that_is_no_answer_is_said_to_be_unreadable(tmp_path: Path) -> None:
    nonsense = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with listening(tmp_path / "s", nonsense), Client(tmp_path / "s") as client:
        with pytest.raises(Unavailable, match="cannot be read"):
            client.status()
        with pytest.raises(Unavailable, match="event stream"):
            next(client.events())


def test_an_error_that_is_no_problem_document_keeps_its_status(tmp_path: Path) -> None:
    plain = b"HTTP/1.1 404 Nope\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope"
    with (
        listening(tmp_path / "s", plain),
        Client(tmp_path / "s") as client,
        pytest.raises(NotFound, match="HTTP 404"),
    ):
        client.status()


def test_errors_come_back_as_what_they_were(engine: Running) -> None:
    engine.appliance.fails["tenant"] = NotFound("There is no tenant x.", remedy="List them.")
    engine.appliance.fails["classify"] = QueueFull("The queue is full.", retry_after=2.5)
    with engine.client() as client:
        with pytest.raises(NotFound) as missing:
            client.tenant("x")
        with pytest.raises(QueueFull) as full:
            client.classify("acme/polarity", "a")
    assert (missing.value.detail, missing.value.remedy) == ("There is no tenant x.", "List them.")
    assert full.value.retry_after == 2.5


def test_a_socket_of_another_user_is_refused_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    with Client(tmp_path / "s") as client, pytest.raises(Refused, match="may not open"):
        client.status()


def test_addresses_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="107"):
        Client(tmp_path / ("x" * 120))
    with pytest.raises(BadInput, match="not a URL"):
        Client(url="localhost:8000")


def test_importing_the_client_loads_neither_torch_nor_the_server() -> None:
    code = (
        "import engine.client, sys;"
        "print(sorted({m.split('.')[0] for m in sys.modules}"
        " & {'torch', 'fastapi', 'starlette', 'uvicorn', 'numpy', 'store'}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
