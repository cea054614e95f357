"""`hmi --read-only`: what would change something is neither offered nor done, and that is said."""

from __future__ import annotations

import pytest
from textual.binding import Binding
from textual.screen import ModalScreen

from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.commands import COMMANDS, HmiCommands
from hmi_tui.read_only import destination, is_changing
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.form import Form
from hmi_tui.screens.mode_screen import ModeScreen
from tests.hmi_tui.app.screens import (
    NARROW,
    WIDE,
    Size,
    footer_keys,
    open_app,
    sees,
    text_of,
    until,
)
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

ONLY_ASKS = {"classify", "epochs", "ngrams", "spans", "verify_adapter"}
LEFT_OUT = {"quit", "save_picture", "save_trace", "export"}
"""Ends the test, or saves a file of the operator's own and changes nothing of the engine's."""


def own_actions(screen: ModeScreen) -> list[str]:
    bound = [*screen.BINDINGS, *HmiApp.BINDINGS]
    return [binding.action for binding in bound if isinstance(binding, Binding)]


@pytest.mark.parametrize("mode", list(HmiApp.MODES))
async def test_no_action_of_a_mode_asks_for_a_change_or_makes_one(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    app = open_app(paths, engine, mode, read_only=True)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        screen = app.mode_screen
        assert screen is not None
        of_the_palette = [one.action for one in COMMANDS if one.mode == mode]
        for action in {*own_actions(screen), *of_the_palette} - LEFT_OUT:
            await screen.run_action(action)
            await pilot.pause()
            assert not isinstance(app.screen, Form | Confirm), f"{action} is not marked @changes"
            while isinstance(app.screen, ModalScreen):
                app.screen.dismiss(None)
                await pilot.pause()
            await app.switch_mode(mode)
        assert {call[0] for call in engine.calls} <= ONLY_ASKS


@pytest.mark.parametrize("mode", list(HmiApp.MODES))
async def test_the_footer_and_the_help_have_only_what_changes_nothing(
    paths: Paths, engine: ScriptedEngine, mode: str
) -> None:
    app = open_app(paths, engine, mode, read_only=True)
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "● up")
        screen = app.mode_screen
        assert screen is not None
        for active in screen.active_bindings.values():
            name = destination(active.binding.action)[1]
            assert not is_changing(active.node, name), active.binding
        kept = sum(
            isinstance(one, Binding) and not is_changing(screen, destination(one.action)[1])
            for one in screen.BINDINGS
        )
        sorts = [one for one in screen.own_keys() if one[1].startswith("Sort ")]
        assert len(screen.own_keys()) - len(sorts) == kept


async def test_the_palette_has_no_command_that_changes_something(
    paths: Paths, engine: ScriptedEngine
) -> None:
    app = open_app(paths, engine, read_only=True)
    async with app.run_test() as pilot:
        await sees(pilot, "● up")
        offered = {hit.text or "" async for hit in HmiCommands(app.screen).discover()}
        assert {"go: Tenants", "app: Quit", "theme: Light", "adapter: Describe"} <= offered
        refused = {command.name for command in COMMANDS} - offered
        assert {"tenant: Create", "vplm: Train", "domain: Rebuild", "engine: Stop"} <= refused
        assert not {name for name in offered if "Create" in name or "Delete" in name}


async def test_a_refused_key_says_how_to_be_allowed(paths: Paths, engine: ScriptedEngine) -> None:
    app = open_app(paths, engine, "tenants", read_only=True)
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "acme/model-00001", "Read-only")
        await pilot.press("x")
        await sees(pilot, "Start hmi without --read-only")
        assert isinstance(app.screen, ModeScreen)


async def test_no_engine_is_started(paths: Paths, engine: ScriptedEngine) -> None:
    engine.down = True
    started: list[object] = []
    app = open_app(paths, engine, read_only=True, starter=started.append)
    async with app.run_test() as pilot:
        await sees(pilot, "✗ down")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: app.feed.latest.link == "lost")
    assert started == []


async def test_all_is_looked_at_as_ever(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "tenants", read_only=True).run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await pilot.press("tab", "d")
        await sees(pilot, "own copy")


async def test_a_trace_may_be_saved(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline", read_only=True).run_test() as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("s")
        await sees(pilot, "Save a trace")


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_that_nothing_is_changed_stays_on_the_screen(
    paths: Paths, engine: ScriptedEngine, size: Size
) -> None:
    app = open_app(paths, engine, read_only=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        await sees(pilot, "● up", "screenshot")
        app.clear_notifications()
        for mode in HmiApp.MODES:
            await app.action_open(mode)
            await sees(pilot, "READ-ONLY")
            last = text_of(pilot).split("\n")[-1]
            assert last.rstrip().endswith("READ-ONLY")
            await until(pilot, lambda: footer_keys(pilot), "a footer")
        await pilot.press("question_mark")
        await sees(pilot, "Help", "READ-ONLY")


async def test_without_the_flag_there_is_no_such_sign(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        await until(pilot, lambda: footer_keys(pilot), "a footer")
        assert "READ-ONLY" not in text_of(pilot)


async def test_an_action_of_the_application_needs_no_screen(
    paths: Paths, engine: ScriptedEngine
) -> None:
    app = open_app(paths, engine)
    async with app.run_test() as pilot:
        await sees(pilot, "● up")
    assert app.theme != "hmi-mono"
    # Its screens are gone, as they are while it closes.
    assert await app.run_action("app.use_theme('mono')")
    assert app.theme == "hmi-mono"
