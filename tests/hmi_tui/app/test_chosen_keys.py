"""Keys from config.toml: those in force, those refused, and what is said of the refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hmi_tui.hints
from engine.client import Paths
from hmi_tui.app import HmiApp
from hmi_tui.config_file import ConfigFile
from hmi_tui.hints import MARK, shown, with_keys
from hmi_tui.keys import Named, chosen_keys, is_key, normal, own_bindings, places
from hmi_tui.screens.by_mode import screen_class
from hmi_tui.screens.confirm import Confirm
from tests.hmi_tui.app.screens import WIDE, footer_keys, open_app, sees, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

Write = Callable[[str], None]


@pytest.fixture
def write(paths: Paths) -> Write:
    def config(text: str) -> None:
        paths.config.parent.mkdir(parents=True, exist_ok=True)
        paths.config.write_text(text)

    return config


def read(paths: Paths, engine: ScriptedEngine) -> tuple[dict[str, str], list[str]]:
    modes = {mode: screen_class(mode) for mode in HmiApp.MODES}
    chosen, wrong = chosen_keys(ConfigFile.read(paths.config), places(modes))
    return chosen, [str(one) for one in wrong]


async def test_a_chosen_key_works_and_the_usual_one_no_longer(
    paths: Paths, engine: ScriptedEngine, write: Write
) -> None:
    write('[keys]\ndelete = "f8"\n')
    app = open_app(paths, engine, "tenants")
    async with app.run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await until(pilot, lambda: app.chosen_keys, "the config")
        await pilot.press("x")
        assert not isinstance(app.screen, Confirm)
        await pilot.press("f8")
        await sees(pilot, "Delete tenant acme?")


async def test_footer_and_help_show_the_keys_in_force(
    paths: Paths, engine: ScriptedEngine, write: Write
) -> None:
    write('[keys]\ndelete = "f8"\nhelp = "f1"\ncopy = ["y", "ctrl+y"]\nopen-domains = "f3"\n')
    app = open_app(paths, engine, "tenants")
    async with app.run_test(size=WIDE) as pilot:
        await sees(pilot, "acme/model-00001")
        await until(pilot, lambda: "f8" in footer_keys(pilot), "the footer")
        await pilot.press("f1")
        await sees(pilot, "f8", "Delete the tenant", "y, ^y")
        await pilot.press("end")
        await sees(pilot, "Other keys", "open-domains")
        await pilot.press("escape", "f3")
        await until(pilot, lambda: app.current_mode == "domains")


async def test_two_keys_change_places(paths: Paths, engine: ScriptedEngine, write: Write) -> None:
    write('[keys]\nnew = "x"\ndelete = "n"\n')
    app = open_app(paths, engine, "tenants")
    async with app.run_test() as pilot:
        await sees(pilot, "acme/model-00001")
        await until(pilot, lambda: app.chosen_keys, "the config")
        await pilot.press("n")
        await sees(pilot, "Delete tenant acme?")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[keys]\n\ndelte = "f8"', "line 3: There is no action 'delte'. Is delete"),
        ('[keys]\ndelete = "hyper space"', "line 2: 'hyper space' is not a key. Write one"),
        ("[keys]\ndelete = 5", "line 2: 5 is not a key."),
        ('# mine\n[keys]\npin = "n"', "line 3: 'n' is the key of new in tenants. Give new"),
        ('[keys]\npin = "q"', "line 2: 'q' is the key of quit in tenants."),
        ('[keys]\npin = "f8"\ncopy = "f8"', "line 2: 'f8' is the key of copy in tenants."),
        ('[keys]\ndelete = "D"', "line 2: 'D' sorts lists"),
        ("[keys]\ndelete = \n", "line 2: This is not TOML: Invalid value."),
        ("keys = 1", "[keys] is a table"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line_and_left_out(
    paths: Paths, engine: ScriptedEngine, write: Write, text: str, complaint: str
) -> None:
    write(text)
    chosen, wrong = read(paths, engine)
    assert complaint in wrong[0]
    assert str(paths.config) in wrong[0]
    assert "pin" not in chosen
    assert "delete" not in chosen


async def test_a_broken_file_is_told_and_stops_nothing(
    paths: Paths, engine: ScriptedEngine, write: Write
) -> None:
    write('[keys]\ndelete = "f8\n')
    async with open_app(paths, engine, "tenants").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "acme/model-00001", "line 2: This is not TOML")
        await pilot.press("x")
        await sees(pilot, "Delete tenant acme?")


def test_no_file_is_no_complaint(paths: Paths, engine: ScriptedEngine) -> None:
    assert read(paths, engine) == ({}, [])


def test_other_tables_are_not_its_business(
    paths: Paths, engine: ScriptedEngine, write: Write
) -> None:
    write('[tariff]\nvplm = 0.1\n[keys]\nquit = "ctrl+q"\n')
    assert read(paths, engine) == ({"quit": "ctrl+q"}, [])


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("f5", True), ("ctrl+e", True), ("?", True), ("alt+x", True), ("shift+f3", True),
        ("question_mark", True), ("ä", True), ("", False), ("ctrl+", False), ("hop+e", False),
        ("enterr", False),
    ],
)  # fmt: skip
def test_a_key_is_one_that_a_terminal_sends(key: str, known: bool) -> None:
    assert is_key(key) is known


@pytest.mark.parametrize("mode", list(HmiApp.MODES))
def test_every_key_of_a_mode_has_a_name(paths: Paths, engine: ScriptedEngine, mode: str) -> None:
    found = {mode: screen_class(mode)}
    assert all(binding.id for place in places(found) for binding in place.bindings)


@pytest.mark.parametrize("mode", list(HmiApp.MODES))
def test_one_name_is_of_one_action_of_a_mode(mode: str) -> None:
    own = own_bindings(screen_class(mode))
    actions: dict[str, set[str]] = {}
    for binding in own:
        actions.setdefault(str(binding.id), set()).add(binding.action)
    assert {name: found for name, found in actions.items() if len(found) > 1} == {}


def marks() -> Iterator[tuple[Path, str, str]]:
    """File, action's name and usual key of all advice in the application's sources."""
    sources = Path(hmi_tui.hints.__file__).parent
    for file in sorted(sources.rglob("*.py")):
        if file.name != "hints.py":
            for name, usual in MARK.findall(file.read_text(encoding="utf-8")):
                yield file.relative_to(sources), name, usual


def test_all_advice_names_an_action_and_its_usual_key() -> None:
    for mode in HmiApp.MODES:
        screen_class(mode)
    usual: dict[str, set[str]] = {}
    for binding in (one for kind in Named.NAMED for one in own_bindings(kind)):
        keys = usual.setdefault(str(binding.id), set())
        keys |= {shown(normal(key.strip())) for key in binding.key.split(",")}
        keys |= set((binding.key_display or "").split())
    found = list(marks())
    assert len(found) > 30
    arrows = {"↑": "up", "↓": "down"}
    wrong = [
        (file, name, key) for file, name, key in found
        if arrows.get(key, key) not in usual.get(name, ())
    ]  # fmt: skip
    assert wrong == []


async def test_advice_names_the_chosen_keys(paths: Paths, write: Write) -> None:
    write(
        '[keys]\nopen-tenants = "f2"\nnew = "ctrl+n"\nstart_engine = "f9"\n'
        'dismiss = ["f10", "escape"]\nstart = "f4"\nleave = "f8"\n'
    )
    app = open_app(paths, ScriptedEngine())
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until(pilot, lambda: app.chosen_keys, "the config")
        await sees(pilot, "Press f2, then ctrl+n: create a tenant")
        await pilot.press("f2")
        await sees(pilot, "ctrl+n creates one.")
        await pilot.press("ctrl+u")
        await sees(pilot, "f10 closes")
        await pilot.press("f10", "5")
        await sees(pilot, "Press f4 to train")
        await pilot.press("6")
        await sees(pilot, "No vPLM yet: f8, then f2 and ctrl+n create one")
        await pilot.press("f8", "9")
        await sees(pilot, "background (f9)")


def test_what_looks_like_advice_and_names_no_action_is_left_alone() -> None:
    text = "press <new:n>, not <b:bold> or <new: n>, a < b > c"
    assert with_keys(text, {}) == "press n, not <b:bold> or <new: n>, a < b > c"
    assert with_keys(text, {"new": "f8,ctrl+n"}).startswith("press f8, not <b:bold>")


@pytest.mark.parametrize(
    ("key", "said"),
    [("escape", "esc"), ("question_mark", "?"), ("plus", "+"), ("f5", "f5"), ("ctrl+s", "ctrl+s"),
     ("space", "space"), ("enter", "enter"), ("a", "a")],
)  # fmt: skip
def test_a_key_is_said_as_texts_have_it(key: str, said: str) -> None:
    assert shown(key) == said
