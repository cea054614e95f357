"""Ten thousand vPLMs: the table reads what is in view and answers keys at once."""

from __future__ import annotations

import time

import pytest

from engine.client import Paths
from hmi_tui.paging import PAGE
from hmi_tui.screens import tenants
from hmi_tui.screens.tenants import TenantsScreen
from hmi_tui.widgets import paged_view
from tests.hmi_tui.app.busy import busy_engine
from tests.hmi_tui.app.screens import WIDE, open_app, sees, text_of, until

REPAINT_S = 0.25
"""Five times the product's bound: this runs beside other work."""


async def test_keys_are_answered_at_once_with_ten_thousand_vplms(paths: Paths) -> None:
    engine = busy_engine(10_000)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab")
        assert engine.pages <= 4
        seconds = []
        for key in ("down", "pagedown", "pagedown", "down", "pageup", "up", "down") * 2:
            start = time.perf_counter()
            await pilot.press(key)
            text_of(pilot)
            seconds.append(time.perf_counter() - start)
        assert sorted(seconds)[len(seconds) // 2] < REPAINT_S


async def test_the_rows_that_the_next_page_key_leads_to_are_there_before_it(paths: Paths) -> None:
    engine = busy_engine(10_000)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "pagedown", "pagedown", "pagedown")
        screen = pilot.app.screen
        assert isinstance(screen, TenantsScreen)
        pages = screen.vplms.table._pages
        assert screen.vplms.table.cursor < PAGE
        await until(pilot, lambda: pages.row(PAGE), "the page after the one in view")
        assert pages.row(2 * PAGE) is None


async def test_rows_read_long_ago_are_shown_and_read_again_when_they_come_into_view(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = busy_engine(10_000)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "end")
        await sees(pilot, "acme/polarity", "9,997 of 9,997")
        monkeypatch.setattr(tenants, "REREAD_TICKS", 1_000_000)
        monkeypatch.setattr(paged_view, "FRESH_S", 0.0)
        screen = pilot.app.screen
        assert isinstance(screen, TenantsScreen)
        table = screen.vplms.table
        await until(pilot, lambda: not table._reading, "the list to rest")
        read = engine.pages
        await pilot.press("pageup")
        await until(pilot, lambda: engine.pages > read, "the rows to be read again")


async def test_the_end_of_ten_thousand_is_one_key_away(paths: Paths) -> None:
    engine = busy_engine(10_000)
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "end")
        await sees(pilot, "acme/polarity", "9,997 of 9,997")
        screen = pilot.app.screen
        assert isinstance(screen, TenantsScreen)
        await until(pilot, lambda: screen.vplms.table.current is not None)
        await pilot.press("home")
        await sees(pilot, "1 of 9,997", "acme/model-00001")
