"""An engine that died is started again by the application, which says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.engine_process import ensure_engine, stop_engine
from hmi_tui.engine_start import Progress
from hmi_tui.launch import Launch, launch_of
from tests.hmi_tui.app.screens import TICK_S, WIDE, sees, text_of, until
from tests.hmi_tui.dying import SERVE, answering, mortal


def opened(paths: Paths, *, read_only: bool = False) -> HmiApp:
    def starter(launch: Launch | None, progress: Progress) -> object:
        return ensure_engine(paths, progress=progress, launch=launch)

    return HmiApp(paths, starter=starter, tick=TICK_S, read_only=read_only)


async def test_one_that_was_killed_is_started_again_as_it_was(paths: Paths, tmp_path: Path) -> None:
    with mortal(paths, *SERVE, "--threads", "1", folder=tmp_path, HMI_MISS="backoff") as process:
        before = launch_of(psutil.Process(process.pid))
        try:
            async with opened(paths).run_test(size=WIDE, notifications=True) as pilot:
                await sees(pilot, "● up")
                process.kill()
                await sees(pilot, "The engine died and is started again, as it was.")
                await sees(pilot, "The engine was restarted; all is read anew.", "● up")
                pid = await asyncio.to_thread(answering, paths)
                assert pid != process.pid
                after = launch_of(psutil.Process(pid))
        finally:
            stop_engine(paths, kill=True)
    assert before == after
    assert after is not None


async def test_one_that_dies_again_is_left_dead_and_a_key_starts_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmi_tui.revival.TIMES", 1)
    with mortal(paths, *SERVE) as process:
        try:
            async with opened(paths).run_test(size=WIDE, notifications=True) as pilot:
                await sees(pilot, "● up")
                process.kill()
                await sees(pilot, "The engine was restarted")
                psutil.Process(await asyncio.to_thread(answering, paths)).kill()
                await sees(pilot, "✗ The engine died 2 times in 10 minutes, and is left so")
                await sees(pilot, "hmi logs may say why. Figures are", "ctrl+s starts it.")
                await pilot.press("ctrl+s")
                await sees(pilot, "● up")
                await until(pilot, lambda: "is left so" not in text_of(pilot), "the banner's end")
        finally:
            stop_engine(paths, kill=True)


async def test_one_that_was_stopped_stays_stopped(paths: Paths) -> None:
    with mortal(paths, *SERVE) as process:
        app = opened(paths)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await sees(pilot, "● up")
            await asyncio.to_thread(stop_engine, paths)
            await asyncio.to_thread(process.wait)
            await sees(pilot, "✗ The engine is not running. Figures are")
            for _ in range(3):
                await app.fetch()
            await sees(pilot, "✗ The engine is not running. Figures are")
            assert app.feed.starting is None


@pytest.mark.parametrize(
    ("environment", "read_only", "said"),
    [
        ({"NOTIFY_SOCKET": "/run/nobody"}, False, "✗ The engine died. Its supervisor is to start"),
        ({}, True, "✗ The engine died. Figures are"),
    ],
)
async def test_one_that_is_for_others_to_start_is_left_to_them(
    paths: Paths, environment: dict[str, str], read_only: bool, said: str
) -> None:
    with mortal(paths, *SERVE, folder=None, **environment) as process:
        app = opened(paths, read_only=read_only)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await sees(pilot, "● up")
            process.kill()
            await sees(pilot, said)
            assert app.feed.starting is None
            assert "is started again" not in text_of(pilot)
