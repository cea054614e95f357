from __future__ import annotations

import itertools

import pytest

from engine._client import link
from engine.client import AsyncClient, EngineNotRunning, NotFound
from tests.engine.api.running import Running
from tests.engine.api.scripted import JOB

ENDED = JOB.model_copy(update={"state": "succeeded", "progress": 1.0})


def end_job(engine: Running) -> None:
    engine.appliance.job_now = ENDED
    engine.appliance.events.emit("job", {"id": "j1"})


def test_events_arrive_in_order_and_go_on_from_an_id(engine: Running) -> None:
    log = engine.appliance.events
    first = log.emit("span", {"n": 1})
    log.emit("span", {"n": 2})
    with engine.client() as client:
        stream = client.events(first.id)
        assert next(stream).data == {"n": 2}
        log.emit("swap", {"n": 3})
        third = next(stream)
        stream.close()
    assert (third.type, third.data, third.id) == ("swap", {"n": 3}, first.id + 2)


def test_an_event_stream_ends_when_the_engine_stops(mortal: Running) -> None:
    mortal.appliance.events.emit("span", {"n": 1})
    with mortal.client() as client:
        stream = client.events(0)
        assert next(stream).data == {"n": 1}
        client.stop()
        assert list(stream) == []


def test_a_watched_job_is_shown_until_it_has_ended(engine: Running) -> None:
    with engine.client() as client:
        watch = client.watch_job("j1")
        assert next(watch) == JOB
        end_job(engine)
        assert list(watch) == [ENDED]


async def test_the_awaiting_client_watches_and_follows_as_well(engine: Running) -> None:
    async with AsyncClient(engine.socket) as client:
        seen = []
        async for job in client.watch_job("j1"):
            seen.append(job.state)
            if job.state == "running":
                end_job(engine)
        assert seen == ["running", "succeeded"]
        engine.appliance.events.emit("swap", {})
        stream = client.events(0)
        assert [(await anext(stream)).type for _ in range(2)] == ["job", "swap"]
        await stream.aclose()


def test_an_unknown_job_cannot_be_watched(engine: Running) -> None:
    engine.appliance.fails["job"] = NotFound("There is no job j9.")
    with engine.client() as client, pytest.raises(NotFound, match="j9"):
        next(client.watch_job("j9"))


def test_an_interrupted_watch_reads_the_job_again(
    engine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine._client.blocking.RECONNECT_S", 0.0)
    with engine.client() as client:
        follow, attempts = client._follow, itertools.count()

        def cut_at_first(stream: object) -> object:
            if next(attempts) == 0:
                raise EngineNotRunning("It went away.")
            end_job(engine)
            return follow(stream)  # type: ignore[arg-type]

        monkeypatch.setattr(client, "_follow", cut_at_first)
        states = [job.state for job in client.watch_job("j1")]
    assert states == ["running", "succeeded"]


def test_a_watch_of_an_engine_that_is_gone_says_so(mortal: Running) -> None:
    with mortal.client() as client:
        watch = client.watch_job("j1")
        next(watch)
        mortal.stop()
        with pytest.raises(EngineNotRunning):
            list(watch)


def test_more_streams_than_a_usual_pool_holds_can_be_open(engine: Running) -> None:
    assert link.LIMITS.max_connections is None
    engine.appliance.events.emit("span", {})
    with engine.client() as client:
        streams = [client.events(0) for _ in range(120)]
        assert all(next(stream).type == "span" for stream in streams)
        assert client.livez()
        for stream in streams:
            stream.close()
