"""Facts beside a list: told anew at every step of its cursor, drawn where they are others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from hmi_tui.widgets.fact_frame import FactFrame
from hmi_tui.widgets.fact_list import Fact, FactList

BEFORE: Sequence[Fact] = (("name", "one"), ("size", "3 MiB"), ("tier", "disk", "muted"))


class FactsApp(App[None]):
    def compose(self) -> ComposeResult:
        self.facts = FactList(BEFORE)
        self.frame = FactFrame(self.facts)
        self.frame.border_title = "one"
        yield self.frame

    def lines(self) -> list[str]:
        strips = self.screen._compositor.render_strips()
        return [strip.text.strip() for strip in strips]


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets an item whenever the screen is laid out."""
    found: list[int] = []
    lay_out = Screen._refresh_layout

    def counted(self: Screen[Any], *args: Any, **more: Any) -> None:
        found.append(1)
        lay_out(self, *args, **more)

    monkeypatch.setattr(Screen, "_refresh_layout", counted)
    return found


async def test_as_many_facts_as_before_are_shown_without_laying_out_the_screen(
    laid_out: list[int],
) -> None:
    app = FactsApp()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        laid_out.clear()
        app.facts.tell((("name", "two"), ("size", "3 MiB"), ("tier", "disk", "good")))
        app.frame.border_title = "two"
        await pilot.pause()
        assert app.lines()[:3] == ["name  two", "size  3 MiB", "tier  disk"]
        assert not laid_out


async def test_only_lines_that_are_others_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FactsApp()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        drawn: list[int] = []
        draw = FactList.render_line

        def counted(self: FactList, y: int) -> Any:
            drawn.append(y)
            return draw(self, y)

        monkeypatch.setattr(FactList, "render_line", counted)
        app.facts.tell((("name", "one"), ("size", "4 MiB"), ("tier", "disk", "good")))
        await pilot.pause()
        assert set(drawn) == {1, 2}


async def test_more_facts_get_the_room_that_they_need(laid_out: list[int]) -> None:
    app = FactsApp()
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        laid_out.clear()
        long = "a value that is longer than the forty cells of this line"
        app.facts.tell((*BEFORE, ("note", long)))
        await pilot.pause()
        shown = app.lines()
        assert shown[3].startswith("note  a value")
        assert shown[4].endswith("this line")
        assert laid_out
        app.facts.tell(())
        await pilot.pause()
        assert not any(app.lines())
