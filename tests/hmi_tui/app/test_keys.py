"""The palette, the help and the keys reach everything."""

from __future__ import annotations

import gc
import os
import re
from functools import partial
from pathlib import Path

import pytest
from textual.screen import ModalScreen
from textual.widgets._footer import FooterKey

from engine.client import Paths
from hmi_tui.commands import COMMANDS
from hmi_tui.modes import MODE_TITLES
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.widgets.key_bar import KeyBar
from tests.hmi_tui.app.screens import WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

IN_THE_FOOTER = 7
"""Keys, at most."""

LEADS_TO = {
    "vplm: Try": "playground",
    "vplm: Train": "trainer",
    "adapter: New vPLM": "tenants",
}


def test_commands_are_named_group_and_verb() -> None:
    names = [command.name for command in COMMANDS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+: [A-Z][A-Za-z ]+", name) for name in names)


async def test_digits_go_to_the_modes(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        for digit, mode in enumerate(MODE_TITLES, 1):
            await pilot.press(str(digit))
            assert pilot.app.current_mode == mode
            await pilot.press("escape")


async def test_a_click_on_a_tab_goes_there(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        await pilot.click("TopBar", offset=(28, 0))
        await until(pilot, lambda: pilot.app.current_mode == "domains")


async def test_a_command_is_found_by_typing(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        await pilot.press("ctrl+p", *"vplm create")
        await sees(pilot, "vplm: Create")
        await pilot.press("down", "enter")
        await sees(pilot, "New vPLM")
        assert pilot.app.current_mode == "tenants"


async def test_every_command_of_the_palette_runs_in_its_mode(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    app = open_app(paths, engine)
    async with app.run_test() as pilot:
        await sees(pilot, "● up")
        for command in COMMANDS[:-1]:
            await app.perform(command)
            await pilot.pause()
            leads_to = LEADS_TO.get(command.name, command.mode or app.current_mode)
            assert app.current_mode == leads_to, command.name
            if isinstance(app.screen, ModalScreen):
                app.screen.dismiss(None)
                await pilot.pause()
        await app.perform(COMMANDS[-1])
    assert [name for name in os.listdir(tmp_path) if name.endswith(".svg")]  # noqa: PTH208


async def test_help_names_the_keys_of_the_mode_and_those_of_everywhere(
    paths: Paths, engine: ScriptedEngine
) -> None:
    app = open_app(paths, engine)
    async with app.run_test(size=WIDE) as pilot:
        for mode, title in MODE_TITLES.items():
            await app.action_open(mode)
            await pilot.press("escape", "question_mark")
            await sees(pilot, f"Help · {title}", "Everywhere", "ctrl+p", "esc closes")
            await pilot.press("escape")
            assert isinstance(pilot.app.screen, ModeScreen)


async def test_a_theme_is_chosen_in_the_palette(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine).run_test() as pilot:
        await sees(pilot, "● up")
        await pilot.press("ctrl+p", *"theme light")
        await sees(pilot, "theme: Light")
        await pilot.press("down", "enter")
        await until(pilot, lambda: pilot.app.theme == "hmi-light")
        assert "● up" in text_of(pilot)


def is_gone(key: FooterKey) -> bool:
    return not key.is_attached


async def test_the_keys_of_the_footer_that_were_replaced_are_let_go(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        for key in ("slash", "escape") * 6:  # whoever writes in the filter has other keys
            await until(pilot, lambda: pilot.app.screen.query(FooterKey), "keys")
            seen = pilot.app.screen.query(FooterKey).first()
            await pilot.press(key)
            await until(pilot, partial(is_gone, seen), "other keys")
        gc.collect()
        alive = sum(type(one) is FooterKey for one in gc.get_objects())
        assert alive <= 3 * IN_THE_FOOTER, "some of all 12 times are still there"


async def test_a_step_to_where_the_same_keys_are_in_force_leaves_the_footer_as_it_is(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "tenants").run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await until(pilot, lambda: pilot.app.screen.query(FooterKey), "keys")
        bar = pilot.app.screen.query_one(KeyBar)
        before, looks = list(bar.query(FooterKey)), 0

        async def looked() -> None:
            nonlocal looks
            looks += 1
            await KeyBar._renew(bar)

        bar._renew = looked  # type: ignore[method-assign]
        for step in range(3):
            await pilot.press("tab")
            await until(pilot, lambda step=step: looks > step, "a look at the keys")  # type: ignore[misc]
        assert list(bar.query(FooterKey)) == before
