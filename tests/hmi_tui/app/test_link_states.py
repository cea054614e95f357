"""The engine's absence, start, restart and errors are states that are shown and lived through."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from engine.client import VERSION, HmiError, Paths, QueueFull, Unavailable
from engine.schema import QueueStatus
from hmi_tui.app import HmiApp
from hmi_tui.engine_start import Progress
from hmi_tui.launch import Launch
from hmi_tui.versions import newer
from tests.hmi_tui.app.screens import TICK_S, WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.cli import fake_engine


async def test_an_engine_is_started_when_none_runs(paths: Paths, engine: ScriptedEngine) -> None:
    engine.down = True
    told, go = threading.Event(), threading.Event()

    def starter(_: Launch | None, progress: Progress) -> None:
        progress("loading backbone")
        told.set()
        assert go.wait(10)
        engine.down = False

    async with open_app(paths, engine, starter=starter).run_test(notifications=True) as pilot:
        await until(pilot, told.is_set)
        await sees(pilot, "The engine is starting: loading backbone")
        go.set()
        await sees(pilot, "● up", "Table hits by domain")
        assert "starting" not in text_of(pilot)


async def test_an_engine_that_cannot_start_says_why_and_what_to_do(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.down = True

    def starter(*_: object) -> None:
        raise HmiError("The checkpoint is damaged.", remedy="hmi doctor says more.")

    async with open_app(paths, engine, starter=starter).run_test(
        size=(120, 30), notifications=True
    ) as pilot:
        await sees(pilot, "✗ down", "could not start: The checkpoint is damaged. hmi doctor says")


async def test_the_engine_vanishes_and_returns(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test(notifications=True) as pilot:
        await sees(pilot, "● up", "reviews")
        engine.down = True
        await sees(pilot, "✗ down", "The engine is not running. Figures are", "ctrl+s starts it")
        assert "reviews" in text_of(pilot)
        engine.down, engine.pid = False, 77
        await sees(pilot, "● up", "The engine was restarted")


async def test_a_lost_engine_is_started_again_by_a_key(
    paths: Paths, engine: ScriptedEngine
) -> None:
    def starter(*_: object) -> None:
        engine.down = False

    async with open_app(paths, engine, starter=starter).run_test(notifications=True) as pilot:
        await sees(pilot, "● up")
        engine.down = True
        await sees(pilot, "✗ down")
        await pilot.press("ctrl+s")
        await sees(pilot, "● up")


async def test_an_engine_that_is_not_ready_says_what_it_waits_for(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.ready, engine.reasons = False, ["reading tables"]
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "… wait", "getting ready: reading tables")
        engine.ready = True
        await sees(pilot, "● up", "acme")


async def test_an_action_on_a_lost_engine_tells_and_nothing_breaks(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001")
        engine.failing = Unavailable("The engine is stopping.", remedy="Start it again.")
        await pilot.press("tab", "p")
        await sees(pilot, "Unavailable", "The engine is stopping.", "Start it again.")


async def test_stopping_the_engine_is_asked_first_and_then_shown(
    paths: Paths, engine: ScriptedEngine
) -> None:
    app = open_app(paths, engine)
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "● up")
        await app.run_action("stop_engine")
        await sees(pilot, "Stop the engine on")
        await pilot.press("n")
        assert engine.called("stop") == []
        await app.run_action("stop_engine")
        await sees(pilot, "Stop the engine on")
        await pilot.press("y")
        await sees(pilot, "✗ down")


async def test_quitting_leaves_the_engine_running(paths: Paths, engine: ScriptedEngine) -> None:
    app = open_app(paths, engine)
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "● up")
        await pilot.press("q")
    assert engine.called("stop") == []


@pytest.mark.parametrize(
    ("theirs", "advice"),
    [
        ("99.0.0", "The engine is newer: leave with q and start hmi again."),
        ("0.0.9", "The application is newer: hmi stop, then hmi, starts the engine anew."),
    ],
)
async def test_an_engine_of_another_version_is_said_to_be_with_what_to_do(
    paths: Paths, engine: ScriptedEngine, theirs: str, advice: str
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "● up", "acme/model-00001")
        assert "The engine is" not in text_of(pilot)
        engine.version_name = theirs
        await sees(pilot, f"The engine is version {theirs}, this application {VERSION}.", advice)
        engine.unreadable = True
        await sees(pilot, "! other", "they do not match.", advice, "Figures are")
        engine.unreadable, engine.version_name = False, VERSION
        await sees(pilot, "● up")
        await until(pilot, lambda: "The engine is" not in text_of(pilot), "the banner's end")


def test_versions_are_compared_by_their_numbers() -> None:
    assert newer("0.10.0", "0.9.1")
    assert not newer("0.9.1", "0.10.0")
    assert not newer("1.2", "1.2")


async def test_a_full_queue_is_a_state_until_it_is_short_again(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        engine.queue = QueueStatus(depth=9_000, tokens=198_000, limit_tokens=200_000)
        await sees(pilot, "! full", "overloaded: 198,000 of 200,000 tokens wait.", "hmi size")
        engine.queue = None
        await sees(pilot, "● up")
        assert "overloaded" not in text_of(pilot)


async def test_refused_requests_are_an_overload_and_quotas_are_not(
    paths: Paths, engine: ScriptedEngine
) -> None:
    def queue(**refused: int) -> QueueStatus:
        return QueueStatus(depth=9, tokens=90, limit_tokens=200_000, refused=refused)

    engine.queue = queue(queue_full=70, quota_rps=5)
    async with open_app(paths, engine).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        engine.queue = queue(queue_full=70, quota_rps=900)
        now = engine.statuses
        await until(pilot, lambda: engine.statuses > now + 3)
        assert "● up" in text_of(pilot)
        engine.queue = queue(queue_full=101, quota_rps=900)
        await sees(pilot, "! full", "31 requests were refused (429)")


async def test_an_engine_too_busy_to_say_how_it_is_is_overloaded(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        engine.failing = QueueFull("200,000 tokens wait.", retry_after=2)
        await sees(pilot, "! full", "overloaded: 200,000 tokens wait.", "Try again in 2 s.")


async def test_a_list_that_cannot_be_read_again_says_how_old_it_is(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> object:
        raise QueueFull("The queue is full.")

    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        with monkeypatch.context() as patch:
            patch.setattr(engine, "vplms", refuse)
            await sees(pilot, "· not read for", "acme/model-00001", "● up")
        await until(pilot, lambda: "not read for" not in text_of(pilot), "the list")


async def test_over_a_real_socket_a_killed_engine_is_missed_and_its_successor_found(
    paths: Paths,
) -> None:
    command = [sys.executable, fake_engine.__file__, str(paths.socket)]
    app = HmiApp(paths, tick=TICK_S)
    async with app.run_test() as pilot:
        await sees(pilot, "✗ down")
        for _ in range(2):
            process = await asyncio.to_thread(subprocess.Popen, command)
            try:
                await sees(pilot, "● up")
            finally:
                process.kill()
                await asyncio.to_thread(process.wait)
            await sees(pilot, "✗ down", "Figures are")
            paths.socket.unlink()


async def test_the_state_has_its_place_however_narrow_the_terminal_is(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine).run_test(size=(60, 24)) as pilot:
        await sees(pilot, "1 Overview", "7 Pipeline", "● up")
        engine.down = True
        await sees(pilot, "✗ down", "7 Pipeline", "The engine is not running.")
