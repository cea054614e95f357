from __future__ import annotations

import asyncio
from typing import Any

from engine.client import AsyncClient, BadInput, Unavailable
from engine.schema import QueueStatus, Status
from hmi_tui.feed import Feed
from hmi_tui.snapshot import KEPT_RATES
from tests.hmi_tui.app.engine_documents import job
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


async def test_a_snapshot_holds_the_status_and_what_the_screen_asked_for(
    engine: ScriptedEngine,
) -> None:
    async def look(client: AsyncClient) -> object:
        return (await client.tenants()).total

    snapshot = await Feed(engine.client).read(look)
    assert snapshot.ready
    assert snapshot.detail == 2


async def test_the_history_of_rates_is_bounded(engine: ScriptedEngine) -> None:
    feed = Feed(engine.client)
    for _ in range(KEPT_RATES + 10):
        await feed.read()
    assert len(feed.latest.rates) == KEPT_RATES


async def test_an_engine_that_is_gone_leaves_the_last_figures_with_their_age(
    engine: ScriptedEngine,
) -> None:
    now = 100.0
    feed = Feed(engine.client, clock=lambda: now)
    await feed.read()
    engine.down, now = True, 112.0
    snapshot = await feed.read()
    assert snapshot.link == "lost"
    assert snapshot.status is not None
    assert feed.age == 12.0


async def test_an_engine_that_hangs_is_called_silent() -> None:
    class Hanging(ScriptedEngine):
        async def status(self) -> Status:
            await asyncio.Event().wait()
            raise AssertionError

    snapshot = await Feed(Hanging().client, patience=0.01).read()
    assert snapshot.link == "silent"


async def test_an_engine_that_loads_is_starting(engine: ScriptedEngine) -> None:
    engine.failing = Unavailable("loading backbone")
    snapshot = await Feed(engine.client).read()
    assert (snapshot.link, snapshot.reason) == ("starting", "loading backbone")


async def test_an_engine_that_answers_too_late_is_silent(engine: ScriptedEngine) -> None:
    engine.failing = Unavailable("It did not answer in time.", code="timeout")
    assert (await Feed(engine.client).read()).link == "silent"


async def test_refusals_are_news_for_ten_seconds_and_start_anew_with_an_engine(
    engine: ScriptedEngine,
) -> None:
    now = 0.0
    feed = Feed(engine.client, clock=lambda: now)

    async def refused(total: int, at: float) -> int:
        nonlocal now
        now = at
        counts = {"queue_full": total}
        engine.queue = QueueStatus(depth=0, tokens=0, limit_tokens=9, refused=counts)
        return (await feed.read()).refused

    told = [await refused(total, at) for total, at in ((5, 0), (9, 4), (9, 9), (9, 15), (2, 16))]
    assert told == [0, 4, 4, 0, 0]


async def test_any_other_error_is_a_state_too(engine: ScriptedEngine) -> None:
    engine.failing = BadInput("no such thing", remedy="Look again.")
    snapshot = await Feed(engine.client).read()
    assert (snapshot.link, snapshot.remedy) == ("silent", "Look again.")


async def test_a_job_that_ended_is_reported_once(engine: ScriptedEngine) -> None:
    feed = Feed(engine.client)
    before = await feed.read()
    engine.end_job("j2", "succeeded")
    await feed.read()
    assert [one.id for one in await feed.ended(before)] == ["j2"]
    after: Any = feed.latest
    await feed.read()
    assert await feed.ended(after) == []


async def test_jobs_of_an_engine_before_its_restart_are_not_reported(
    engine: ScriptedEngine,
) -> None:
    feed = Feed(engine.client)
    before = await feed.read()
    engine.pid, engine.job_rows = 1, [job("j9", "acme/x", "queued")]
    await feed.read()
    assert await feed.ended(before) == []
