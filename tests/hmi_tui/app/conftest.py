"""The application on a scripted engine, driven by its keys."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet

from engine.client import Paths
from hmi_tui.app import HmiApp
from tests.hmi_tui.app.busy import busy_engine
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.find(tmp_path)


@pytest.fixture
def engine() -> ScriptedEngine:
    """Small, so that every test is quick; tests of size make their own."""
    return busy_engine(vplms=30)


@pytest.fixture(autouse=True)
def _no_wait_for_an_idle_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pilot waits up to a second after each key until the process is idle; this one never is,
    and the tests wait for what they want to see instead."""

    async def let_others_run(min_sleep: float = 0, max_sleep: float = 0) -> None:
        for _ in range(4):
            await asyncio.sleep(0.002)

    monkeypatch.setattr("textual.app.wait_for_idle", let_others_run)
    monkeypatch.setattr("textual.pilot.wait_for_idle", let_others_run)


@pytest.fixture(autouse=True)
def _notices_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds are time enough to read one, but not for a test on a machine that others keep
    busy: between two looks of it one came and went. `screens.until` counts its looks instead."""
    monkeypatch.setattr(HmiApp, "NOTIFICATION_TIMEOUT", 600.0)


_PARSED: dict[tuple[object, ...], list[RuleSet]] = {}


@pytest.fixture(autouse=True)
def _styles_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing styles is a quarter of what it takes to open the application, and every test opens
    one; each source is parsed once for each set of variables that it may name."""
    parse = Stylesheet._parse_rules

    def once(self: Stylesheet, css: str, read_from: Any, *more: Any, **named: Any) -> list[RuleSet]:
        variables = tuple(self._variables.items())
        key = (css, read_from, more, tuple(named.items()), variables)
        if key not in _PARSED:
            _PARSED[key] = parse(self, css, read_from, *more, **named)
        return _PARSED[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", once)
