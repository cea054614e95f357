from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.types import Message

from engine.api.events import EventStream, frame, job_frames, log_frames, paced
from engine.errors import NotFound
from engine.telemetry.events import EventLog
from tests.engine.api.running import Running, until
from tests.engine.api.scripted import JOB, ScriptedAppliance


def test_the_wire_carries_id_type_and_one_line_of_json(engine: Running) -> None:
    first = engine.appliance.events.emit("span", {"text": "two\nlines"})
    with (
        engine.http() as http,
        http.stream("GET", "/v1/events", headers={"Last-Event-ID": str(first.id - 1)}) as (answer),
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        shown = [next(lines) for _ in range(6)]
    assert shown[0].startswith(":")
    assert shown[2:4] == [f"id: {first.id}", "event: span"]
    assert shown[4].startswith("data: {")
    assert shown[5] == ""


@pytest.mark.parametrize("given", ["", "abc", "-1"])
def test_an_id_that_no_engine_gave_begins_now(engine: Running, given: str) -> None:
    log = engine.appliance.events
    log.emit("span", {"n": 1})
    with engine.http() as http, http.sse("/v1/events", headers={"Last-Event-ID": given}) as source:
        log.emit("span", {"n": 2})
        event = next(iter(source))
    assert '"n":2' in event.data


def test_the_streams_of_clients_that_went_away_are_closed(engine: Running) -> None:
    log = engine.appliance.events
    with engine.http() as http, http.sse("/v1/events") as source:
        log.emit("span", {})
        events = iter(source)
        next(events)
        assert len(log._listeners) == 1
    until(lambda: not log._listeners, "the end of the stream")


def test_an_unknown_job_has_no_stream(engine: Running) -> None:
    engine.appliance.fails["job"] = NotFound("There is no job j9.")
    with engine.http() as http:
        answer = http.get("/v1/jobs/j9/events")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_was_begun_is_closed_though_the_client_went_before_the_first_frame() -> None:
    closed = False

    async def source() -> AsyncGenerator[str, None]:
        nonlocal closed
        try:
            yield "one"
            await asyncio.Event().wait()
        finally:
            closed = True

    async def frames(begun: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        async for each in begun:
            yield each

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        await asyncio.sleep(0)

    begun = source()
    await anext(begun)
    await EventStream(frames(begun), source=begun)({"type": "http"}, gone, send)
    assert closed


async def _forever() -> AsyncGenerator[str, None]:
    await asyncio.Event().wait()
    yield ""


async def test_a_silent_stream_has_a_heartbeat() -> None:
    stream = EventStream(_forever(), heartbeat=0.01)
    beats = stream._beating
    assert await anext(beats) == ": connected\n\n"
    assert await anext(beats) == ": still here\n\n"
    await beats.aclose()


async def test_pauses_do_not_lose_items() -> None:
    gate = asyncio.Event()

    async def items() -> AsyncGenerator[int, None]:
        yield 1
        await gate.wait()
        yield 2

    paces = paced(items(), 0.01)
    assert [await anext(paces), await anext(paces)] == [1, None]
    gate.set()
    rest = [item async for item in paces]
    assert rest[-1] == 2


async def test_a_closed_log_ends_its_frames() -> None:
    log = EventLog(first_id=1)
    frames = log_frames(log.stream())
    log.emit("swap", {"n": 1})
    assert (await anext(frames)).startswith("id: 1\nevent: swap\ndata: {")
    log.close()
    assert [text async for text in frames] == []


async def test_a_job_is_looked_at_even_if_no_event_tells_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.api.events.JOB_TICK_S", 0.01)
    appliance = ScriptedAppliance()
    frames = job_frames(appliance, "j1")
    assert '"running"' in await anext(frames)
    appliance.job_now = JOB.model_copy(update={"state": "failed"})
    rest = [text async for text in frames]
    assert len(rest) == 1
    assert '"failed"' in rest[0]


def test_a_frame_without_an_id_has_none() -> None:
    assert frame("{}", event="job") == "event: job\ndata: {}\n\n"
