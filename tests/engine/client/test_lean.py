from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.client import (
    EngineNotRunning,
    LeanClient,
    LeanTiming,
    NotFound,
    Paths,
    QueueFull,
    Unavailable,
)
from tests.hmi_tui.cli.documents import a_timing, an_answer
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem, that_classifies

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BODY = json.dumps(an_answer("a/x", ["text"])).encode()
HEAD = f"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(tmp_path)


@asynccontextmanager
async def serving(paths: Paths, talk: Talk) -> AsyncIterator[None]:
    """A server that says on every connection what `talk` says."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_unix_server(attend, paths.socket):
        yield


async def request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def test_an_answer_tells_of_its_time_and_its_tokens(paths: Paths) -> None:
    with FakeEngine(paths.socket) as engine:
        that_classifies(engine)
        async with LeanClient(paths) as client:
            got = await client.classify("a/x", 'caf\u00e9 "quoted"')
        (asked,) = engine.calls("POST", "/v1/classify")
    assert asked.json == {"model": "a/x", "input": 'caf\u00e9 "quoted"'}
    named = {name: getattr(a_timing(), name) for name in LeanTiming.__dataclass_fields__}
    assert got.timing == LeanTiming(**named)
    assert got.tokens == 5


async def test_requests_one_after_the_other_share_a_connection(paths: Paths) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            await request(reader)
            writer.write(HEAD + BODY)

    async with serving(paths, talk), LeanClient(paths) as client:
        for _ in range(5):
            await client.classify("a/x", "text")
        assert connections == 1
        await asyncio.gather(*(client.classify("a/x", "text") for _ in range(3)))
        assert connections == 3


async def test_an_answer_may_come_in_pieces(paths: Paths) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        whole = HEAD + BODY
        for at in range(0, len(whole), 7):
            writer.write(whole[at : at + 7])
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(paths, talk), LeanClient(paths) as client:
        assert (await client.classify("a/x", "text")).tokens == 5


async def test_a_line_that_was_closed_for_its_age_is_replaced(paths: Paths) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(HEAD + BODY)
        # A second request is never looked at.
        await reader.readexactly(1)

    async with serving(paths, talk), LeanClient(paths) as client:
        for _ in range(4):
            assert (await client.classify("a/x", "text")).tokens == 5


async def test_problems_are_raised_as_the_client_raises_them(paths: Paths) -> None:
    with FakeEngine(paths.socket) as engine:
        async with LeanClient(paths) as client:
            engine.on("POST", "/v1/classify", Problem(404, "not_found", "no such"))
            with pytest.raises(NotFound, match="no such"):
                await client.classify("a/x", "text")
            engine.on("POST", "/v1/classify", Problem(429, "queue_full", "full"))
            with pytest.raises(QueueFull):
                await client.classify("a/x", "text")
            engine.on("POST", "/v1/classify", {"no": "timing"})
            with pytest.raises(Unavailable, match="cannot be read"):
                await client.classify("a/x", "text")


async def test_without_an_engine_it_says_so(paths: Paths) -> None:
    async with LeanClient(paths) as client:
        with pytest.raises(EngineNotRunning, match="hmi serve"):
            await client.classify("a/x", "text")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}"])
async def test_an_engine_that_goes_away_is_no_answer(paths: Paths, said: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(said)

    async with serving(paths, talk), LeanClient(paths) as client:
        with pytest.raises(EngineNotRunning, match="went away"):
            await client.classify("a/x", "text")


async def test_an_engine_that_is_silent_is_given_up(paths: Paths) -> None:
    async def talk(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await request(reader)
        await reader.readexactly(1)

    async with serving(paths, talk), LeanClient(paths, timeout=0.05) as client:
        with pytest.raises(Unavailable) as caught:
            await client.classify("a/x", "text")
    assert caught.value.code == "timeout"
