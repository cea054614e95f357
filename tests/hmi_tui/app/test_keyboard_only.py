"""Whatever a mouse can do a key can do; read from what is on the screens, in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from textual import events
from textual.actions import parse
from textual.app import App
from textual.command import Hit
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Button, Footer, Input, Select, TextArea

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.commands import COMMANDS, HmiCommands
from hmi_tui.keys import own_bindings
from tests.hmi_tui.app.screens import NARROW, WIDE, Size, footer_keys, open_app, sees, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

MODES = list(HmiApp.MODES)
MOUSE = (events.Click, events.MouseDown, events.MouseUp)
HANDLERS = {f"{lead}{one.handler_name}" for one in MOUSE for lead in ("", "_")}
CONTROLS = (Button, Input, Select, TextArea)
AT_MOST = 7


def takes_the_mouse(widget: Widget) -> bool:
    """Whether one of our own classes, not textual's, does something on a click."""
    ours = [kind for kind in type(widget).__mro__ if kind.__module__.startswith("hmi_tui")]
    decorated = {event for kind in ours for event in vars(kind).get("_decorated_handlers", ())}
    return bool(decorated & set(MOUSE)) or any(HANDLERS & vars(kind).keys() for kind in ours)


def clicked_actions(app: App[None]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The actions of all text on the screen that can be clicked."""
    for strip in app.screen._compositor.render_strips():
        for segment in strip:
            action = segment.style.meta.get("@click") if segment.style else None
            if action is not None:
                assert isinstance(action, str)
                yield parse(action)[1:]


def keyed_actions(screen: Screen[object]) -> set[tuple[str, tuple[object, ...]]]:
    return {parse(active.binding.action)[1:] for active in screen.active_bindings.values()}


@pytest.mark.parametrize("mode", MODES)
async def test_what_takes_the_mouse_in_a_mode_takes_keys(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    async with open_app(paths, engine, mode).run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        await pilot.press("escape")  # out of a text, where every key is a letter
        screen = pilot.app.screen
        for widget in screen.walk_children(Widget):
            if takes_the_mouse(widget) and widget.display:
                assert widget in screen.focus_chain, f"tab does not reach {widget}"
                keys = [key for kind in type(widget).__mro__ for key in own_bindings(kind)]
                assert keys, f"{widget} has no keys"
        assert set(clicked_actions(pilot.app)) <= keyed_actions(screen)


async def test_the_modes_are_among_what_can_be_clicked(
    paths: Paths, engine: ScriptedEngine
) -> None:
    """Without this the test above could pass for want of seeing anything."""
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        assert {("open", (mode,)) for mode in MODES} <= set(clicked_actions(pilot.app))
        found = [w for w in pilot.app.screen.walk_children(Widget) if takes_the_mouse(w)]
        assert {widget.id for widget in found} == {"tenants-table", "vplms-table"}


async def test_every_command_is_the_first_that_its_name_finds(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        provider = HmiCommands(pilot.app.screen)
        for command in COMMANDS:
            hits = [hit async for hit in provider.search(command.name) if isinstance(hit, Hit)]
            best = max(hits, key=lambda hit: hit.score)
            assert str(best.text) == command.name


async def test_tab_reaches_all_of_every_window(paths: Paths, engine: ScriptedEngine) -> None:
    app = open_app(paths, engine)
    seen = 0
    async with app.run_test(size=NARROW) as pilot:
        await sees(pilot, "● up")
        for command in (one for one in COMMANDS if one.action not in ("quit", "save_picture")):
            await app.perform(command)
            await pilot.pause()
            if isinstance(app.screen, ModalScreen):
                seen += 1
                controls = [w for w in app.screen.walk_children(Widget) if isinstance(w, CONTROLS)]
                await until(pilot, partial(lambda s: s.focused or not s.focus_chain, app.screen))
                for control in controls:
                    assert control in app.screen.focus_chain, f"{command.name}: {control}"
                await pilot.press("escape")
                await until(pilot, lambda: not isinstance(app.screen, ModalScreen), "esc to close")
    assert seen > 10


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("mode", MODES)
async def test_a_footer_has_at_most_seven_keys_and_fits(
    paths: Paths, engine: ScriptedEngine, mode: str, size: Size
) -> None:
    async with open_app(paths, engine, mode).run_test(size=size) as pilot:
        await sees(pilot, "● up")
        screen = pilot.app.screen
        for widget in [None, *screen.focus_chain]:
            screen.set_focus(widget)
            await until(pilot, lambda: footer_keys(pilot), "a footer")
            active = [one for one in screen.active_bindings.values() if one.binding.show]
            # Two keys of one action, such as + and =, have one place in the footer.
            shown = {(one.node, one.binding.action) for one in active}
            assert len(shown) <= AT_MOST, [one.binding.description for one in active]
            assert len(footer_keys(pilot)) <= AT_MOST
            footer = screen.query_one(Footer)
            assert footer.max_scroll_x == 0, "the footer is wider than the screen"
