"""The collector's rounds: none before the first paint, and none over what is there for good."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.client import Paths
from hmi_tui import app
from tests.hmi_tui.app.screens import NARROW, open_app, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

BEGIN_AND_SETTLE = """
import gc
from hmi_tui.collector import leave_settled_objects, load_without_rounds
load_without_rounds()
print(gc.isenabled())
settled = [[]]
leave_settled_objects()
later = [[]]
rounds = gc.get_objects()
print(gc.isenabled())
print(any(one is settled for one in rounds), any(one is later for one in rounds))
"""


def test_what_is_there_when_a_mode_has_settled_is_in_no_round_and_what_comes_later_is() -> None:
    command = [sys.executable, "-c", BEGIN_AND_SETTLE]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert told.splitlines() == ["False", "True", "False True"]


async def test_every_mode_settles_once(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SETTLED", 0.01)
    settled: list[int] = []
    one = open_app(paths, engine, settled=lambda: settled.append(1))
    async with one.run_test(size=NARROW) as pilot:
        await until(pilot, lambda: len(settled) == 1, "the first mode to settle")
        await pilot.press("2")
        await until(pilot, lambda: len(settled) == 2, "the second mode to settle")
        await pilot.press("1", "2", "1")
        await pilot.press("3")
        await until(pilot, lambda: len(settled) == 3, "the third mode to settle")
        assert len(settled) == 3
