"""What did not change is not drawn again: that is what an open application costs."""

from __future__ import annotations

from typing import Any

import pytest

from engine.client import Paths
from hmi_tui.screens.tenants import TenantsScreen
from hmi_tui.widgets.panel import Panel
from hmi_tui.widgets.rate_panel import RatePanel
from hmi_tui.widgets.traffic_panel import TrafficPanel
from hmi_tui.widgets.virtual_table import VirtualTable
from tests.hmi_tui.app import scripted_engine
from tests.hmi_tui.app.engine_documents import a_status
from tests.hmi_tui.app.screens import WIDE, open_app, sees, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine


async def test_panels_of_an_idle_engine_are_drawn_once(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Panel] = []
    render = Panel.render

    def counted(self: Panel) -> Any:
        drawn.append(self)
        return render(self)

    monkeypatch.setattr(scripted_engine, "a_status", lambda _, **more: a_status(0, **more))
    async with open_app(paths, engine).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up", "Table hits by domain")
        now = engine.statuses
        await until(pilot, lambda: engine.statuses > now + 2)
        monkeypatch.setattr(Panel, "render", counted)
        now = engine.statuses
        await until(pilot, lambda: engine.statuses > now + 5)
        # For their first two minutes curves grow, whatever the rates are.
        assert {type(one) for one in drawn} <= {RatePanel, TrafficPanel}


async def test_a_step_in_a_list_draws_two_rows(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[int] = []
    draw = VirtualTable.render_line

    def counted(self: VirtualTable[Any], y: int) -> Any:
        if self.id == "vplms-table":
            lines.append(y)
        return draw(self, y)

    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        screen = pilot.app.screen
        assert isinstance(screen, TenantsScreen)
        await pilot.press("tab", "down")
        await sees(pilot, "2 of 27")
        await pilot.pause()
        monkeypatch.setattr(VirtualTable, "render_line", counted)
        await pilot.press("down")
        await sees(pilot, "3 of 27")
        assert set(lines) >= {2, 3}
        # `sees` draws all of the screen to read it, but from what was kept of the other lines.
        assert set(lines) == {2, 3}
