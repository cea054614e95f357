from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.client import AsyncClient
from engine.errors import TooLarge, Unavailable
from tests.engine.api.running import Running, running, until
from tests.engine.api.scripted import ScriptedAppliance


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, ScriptedAppliance(), max_body=1000, max_upload=300_000) as engine:
        yield engine


def test_a_json_body_over_the_limit_is_refused(small: Running) -> None:
    body = {"model": "a/b", "input": "x" * 2000}
    with small.http() as http:
        answer = http.post("/v1/classify", json=body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "1,000 bytes" in answer.json()["detail"]
        assert http.get("/v1/status").status_code == 200
    assert [name for name, _ in small.appliance.calls] == ["start", "status"]


def test_a_body_whose_length_is_not_announced_is_counted(small: Running) -> None:
    with small.http() as http:
        answer = http.post("/v1/classify", content=iter([b"x" * 600, b"x" * 600]))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_an_upload_over_the_limit_fails_inside_the_reader_and_says_why(
    small: Running,
) -> None:
    with small.client() as client, pytest.raises(TooLarge, match="300,000 bytes"):
        client.put_corpus("reviews", [b"x" * 100_000] * 50)
    assert small.appliance.upload_error is not None
    assert len(small.appliance.received) <= 300_000
    async with AsyncClient(small.socket) as waiting:
        with pytest.raises(TooLarge):
            await waiting.put_corpus("reviews", [b"x" * 100_000] * 50)


def test_an_upload_within_its_own_limit_may_exceed_that_of_json(small: Running) -> None:
    with small.client() as client:
        assert client.put_corpus("reviews", [b"x" * 100_000] * 2).bytes == 200_000


def _begin_upload(path: Path) -> socket.socket:
    upload = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    upload.connect(str(path))
    upload.sendall(
        b"PUT /v1/domains/reviews/corpus HTTP/1.1\r\nHost: hmi\r\n"
        b"Content-Length: 1000\r\n\r\nhalf a line"
    )
    return upload


def test_an_upload_is_read_while_it_is_sent(engine: Running) -> None:
    with _begin_upload(engine.socket):
        until(lambda: bytes(engine.appliance.received) == b"half a line", "the first chunk")


def test_an_upload_that_is_cut_off_fails_inside_the_reader(engine: Running) -> None:
    with _begin_upload(engine.socket):
        until(lambda: engine.appliance.chunks > 0, "the first chunk")
    until(lambda: engine.appliance.upload_error is not None, "the failure")


def test_a_stopping_engine_gives_up_uploads_under_way(mortal: Running) -> None:
    with _begin_upload(mortal.socket) as upload:
        until(lambda: mortal.appliance.chunks > 0, "the first chunk")
        mortal.stop()
        upload.settimeout(10)
        assert b" 503 " in upload.recv(4096)
    until(lambda: mortal.appliance.closed, "the end")
    assert isinstance(mortal.appliance.upload_error, Unavailable)


def test_a_slow_reader_holds_back_the_sender(engine: Running) -> None:
    gate, sent = threading.Event(), 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield b"x" * 100_000

    original = engine.appliance._do

    def wait_at_first_chunk(method: str, *arguments: object) -> None:
        original(method, *arguments)
        if method == "chunk":
            gate.wait(10)

    engine.appliance._do = wait_at_first_chunk  # type: ignore[method-assign]
    done = threading.Event()

    def upload() -> None:
        with engine.client() as client:
            client.put_corpus("reviews", pieces())
        done.set()

    thread = threading.Thread(target=upload)
    thread.start()
    until(lambda: engine.appliance.chunks >= 1 or sent >= 2, "the first pieces")
    assert not done.wait(0.3)
    assert sent < 50
    gate.set()
    thread.join(20)
    assert len(engine.appliance.received) == 20_000_000
