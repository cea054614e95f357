from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

from engine.telemetry.events import EventLog


async def test_a_stream_begins_now_and_gives_every_event_in_order() -> None:
    log = EventLog(first_id=1)
    log.emit("span", {"n": 0})
    async with aclosing(log.stream()) as stream:
        log.emit("span", {"n": 1})
        log.emit("swap", {"n": 2})
        first, second = await anext(stream), await anext(stream)
    assert [(event.id, event.type, event.data["n"]) for event in (first, second)] == [
        (2, "span", 1),
        (3, "swap", 2),
    ]


async def test_a_stream_goes_on_after_the_last_id_it_saw() -> None:
    log = EventLog(first_id=1)
    for n in range(5):
        log.emit("span", {"n": n})
    async with aclosing(log.stream(3)) as stream:
        assert [(await anext(stream)).id for _ in range(2)] == [4, 5]
    assert [event.id for event in log.since(3)] == [4, 5]
    assert log.since(5) == log.since(99) == []


async def test_a_reader_that_fell_behind_is_told_how_much_it_missed() -> None:
    log = EventLog(capacity=3, first_id=1)
    stream = log.stream()
    for n in range(1, 11):
        log.emit("span", {"n": n})
    async with aclosing(stream):
        events = [await anext(stream) for _ in range(4)]
    assert (events[0].type, events[0].data) == ("engine", {"dropped": 7})
    assert [event.id for event in events[1:]] == [8, 9, 10]
    # Taking it up again at the notice misses nothing and repeats nothing.
    assert log.since(events[0].id)[0].id == events[1].id


async def test_a_reader_that_falls_behind_midway_is_told_as_well() -> None:
    log = EventLog(capacity=2, first_id=1)
    async with aclosing(log.stream()) as stream:
        log.emit("span", {})
        assert (await anext(stream)).id == 1
        for _ in range(5):
            log.emit("span", {})
        assert (await anext(stream)).data == {"dropped": 3}
        assert (await anext(stream)).id == 5


async def test_events_of_other_threads_wake_a_waiting_reader() -> None:
    log = EventLog(first_id=1)
    async with aclosing(log.stream()) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        threads = [
            threading.Thread(target=lambda: [log.emit("span", {}) for _ in range(500)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        seen = [(await waiting).id]
        while len(seen) < 2000:
            seen.append((await anext(stream)).id)
        for thread in threads:
            thread.join()
    assert seen == list(range(1, 2001))


async def test_closing_ends_streams_after_what_they_have_not_read() -> None:
    log = EventLog(first_id=1)
    stream, idle = log.stream(), log.stream()
    waiting = asyncio.ensure_future(anext(idle, None))
    log.emit("span", {})
    log.close()
    assert [event.id async for event in stream] == [1]
    assert await waiting is not None
    assert [event async for event in idle] == []
    assert [event async for event in log.stream()] == []


async def test_a_reader_that_goes_away_leaves_nothing_behind() -> None:
    log = EventLog()
    stream = log.stream()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    assert len(log._listeners) == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await stream.aclose()
    assert log._listeners == set()


def test_a_reader_whose_loop_has_ended_does_not_trouble_the_writer() -> None:
    log = EventLog(first_id=1)

    async def abandon() -> None:
        waiting = asyncio.ensure_future(anext(log.stream()))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(abandon())
    assert log.emit("span", {}).id == 1


async def test_ids_of_an_earlier_engine_are_below_those_of_a_later_one() -> None:
    log = EventLog()
    first = log.emit("span", {})
    assert first.id > 1_600_000_000_000
    async with aclosing(log.stream(17)) as stream:
        assert await anext(stream) == first
