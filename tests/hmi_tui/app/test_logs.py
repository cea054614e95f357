from __future__ import annotations

import pytest
from textual.pilot import Pilot

from engine.client import Paths
from hmi_tui.screens.logs import LogsScreen
from hmi_tui.widgets.log_view import LogView
from tests.hmi_tui.app.screens import WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

ENTRIES = (
    "2026-11-27 03:09:01,130 INFO engine: Serving on /run/engine.sock (pid 25832)",
    "2026-11-27 03:09:06,155 WARNING engine.api: a client sent half a request",
    "2026-11-27 03:09:07,001 ERROR engine.training.jobs: job j1 failed",
    "Traceback (most recent call last):",
    "ValueError: the dataset has one label",
    "2026-11-27 03:09:54,443 INFO engine: Stopping",
)


@pytest.fixture
def log(paths: Paths) -> Paths:
    write(paths, *ENTRIES)
    return paths


def write(paths: Paths, *lines: str) -> None:
    paths.log.parent.mkdir(parents=True, exist_ok=True)
    with paths.log.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def view_of(pilot: Pilot[None]) -> LogView:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, LogsScreen)
    return screen.view


def info(number: int) -> str:
    return f"2026-11-27 04:00:00,000 INFO engine: entry number {number}"


async def test_the_log_is_shown_and_followed_as_it_grows(
    log: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "03:09:01 INFO    engine: Serving on", "6 of 6 · following")
        await sees(pilot, "› 03:09:54 INFO    engine: Stopping")  # noqa: RUF001
        write(log, *map(info, range(100)))
        await sees(pilot, "entry number 99", "106 of 106 · following")
        assert "Serving on" not in text_of(pilot)


async def test_a_wide_screen_shows_dates_and_the_path(log: Paths, engine: ScriptedEngine) -> None:
    async with open_app(log, engine, "logs").run_test(size=WIDE) as pilot:
        await sees(pilot, "2026-11-27 03:09:01,130 INFO", "Log /")


async def test_moving_up_holds_the_lines_in_view_and_end_follows_again(
    log: Paths, engine: ScriptedEngine
) -> None:
    write(log, *map(info, range(100)))
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "106 of 106 · following")
        await pilot.press("home")
        await sees(pilot, "Serving on", "1 of 106 · held")
        write(log, info(100))
        await sees(pilot, "1 of 107 · held", "Serving on")
        await pilot.press("end")
        await sees(pilot, "entry number 100", "following")
        await pilot.press("f")
        await sees(pilot, "held")
        await pilot.press("f")
        await sees(pilot, "following")
        await pilot.press("pageup", "up", "k", "j", "down", "pagedown")
        await sees(pilot, "held")


async def test_levels_are_filtered_and_a_traceback_goes_with_its_entry(
    log: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "6 of 6")
        await pilot.press("l")
        await sees(pilot, "from info on", "6 of 6")
        await pilot.press("l")
        await sees(pilot, "from warning on", "half a request", "4 of 4")
        await pilot.press("l")
        await sees(pilot, "from error on", "job j1 failed", "ValueError", "3 of 3")
        assert "half a request" not in text_of(pilot)
        await pilot.press("escape")
        await sees(pilot, "6 of 6")


async def test_lines_are_filtered_by_a_text_also_those_that_come_later(
    log: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "6 of 6")
        await pilot.press("/", *"SERVING")
        await sees(pilot, "filter “SERVING”", "1 of 1")
        await pilot.press("enter")
        write(log, info(1), "2026-11-27 04:00:00,000 INFO engine: Serving again")
        await sees(pilot, "Serving again", "2 of 2")
        assert "entry number" not in text_of(pilot)
        await pilot.press("/", "x")
        await sees(pilot, "No line passes the filter; esc clears it.")
        await pilot.press("escape")
        await sees(pilot, "8 of 8", "entry number 1")


async def test_a_text_is_searched_upwards_from_the_end_and_round(
    log: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(log, engine, "logs").run_test(notifications=True) as pilot:
        await sees(pilot, "6 of 6")
        await pilot.press("n")
        await sees(pilot, "Nothing is searched yet: s.")
        pilot.app.clear_notifications()  # it covers the place in the list
        await pilot.press("s", *"ENGINE", "enter")
        await sees(pilot, "search “ENGINE”", "6 of 6 · held")
        await pilot.press("n")
        await sees(pilot, "3 of 6")
        await pilot.press("n", "n", "n")
        await sees(pilot, "6 of 6")
        await pilot.press("N")
        await sees(pilot, "1 of 6")
        await pilot.press("s")
        await until(pilot, lambda: pilot.app.focused is not None)
        await pilot.press(*["backspace"] * 6, *"nowhere", "enter")
        await sees(pilot, "No line has 'nowhere'.")
        await pilot.press("escape")
        await until(pilot, lambda: not view_of(pilot).sought)


async def test_the_line_under_the_cursor_is_copied(log: Paths, engine: ScriptedEngine) -> None:
    app = open_app(log, engine, "logs")
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "6 of 6")
        await pilot.press("up", "c")
        await sees(pilot, "Copied the line.")
        assert app.clipboard == "ValueError: the dataset has one label"


async def test_an_entry_is_described_whole_and_copied(log: Paths, engine: ScriptedEngine) -> None:
    app = open_app(log, engine, "logs")
    async with app.run_test(notifications=True) as pilot:
        await sees(pilot, "6 of 6")
        await pilot.press("up", "enter")
        await sees(pilot, "Log entry", "error", "job j1 failed", "ValueError")
        await pilot.press("c")
        await until(pilot, lambda: app.clipboard == "\n".join(ENTRIES[2:5]))
        await pilot.press("escape", "home", "d")
        await sees(pilot, "Log entry", "(pid 25832)")


async def test_a_click_puts_the_cursor_there_and_a_second_opens_the_entry(
    log: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "6 of 6")
        await pilot.click("#log-view", offset=(10, 1))
        await sees(pilot, "2 of 6 · held")
        await pilot.click("#log-view", offset=(10, 1))
        await sees(pilot, "Log entry", "half a request")


async def test_without_a_log_the_mode_says_why_and_reads_it_once_it_is_there(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "logs").run_test() as pilot:
        await sees(pilot, "There is no log at", "ctrl+s", "hmi serve")
        write(paths, info(7))
        await sees(pilot, "entry number 7", "1 of 1 · following")
        paths.log.unlink()
        await sees(pilot, "the file is gone", "entry number 7")


async def test_an_empty_log_says_so(paths: Paths, engine: ScriptedEngine) -> None:
    write(paths)
    async with open_app(paths, engine, "logs").run_test() as pilot:
        await sees(pilot, "The log is empty so far")


async def test_rotation_and_emptying_are_lived_through(log: Paths, engine: ScriptedEngine) -> None:
    async with open_app(log, engine, "logs").run_test() as pilot:
        await sees(pilot, "6 of 6")
        log.log.rename(log.log.with_suffix(".1"))
        write(log, info(1))
        await sees(pilot, "began anew", "entry number 1", "8 of 8")
        log.log.write_text("")
        await sees(pilot, "8 of 8")
        write(log, "new")
        await sees(pilot, "›   new", "10 of 10")  # noqa: RUF001


async def test_a_bounded_number_of_lines_is_kept_and_the_view_stays_in_place(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmi_tui.log.lines.KEPT", 100)
    write(paths, *map(info, range(80)))
    async with open_app(paths, engine, "logs").run_test() as pilot:
        await sees(pilot, "80 of 80")
        await pilot.press("pageup")
        await sees(pilot, "› 04:00:00 INFO    engine: entry number 60", "held")  # noqa: RUF001
        before = text_of(pilot).split("\n")[10][:60]
        write(paths, *map(info, range(80, 120)))
        await until(pilot, lambda: view_of(pilot).lines._next == 120, "all lines")
        assert len(view_of(pilot).lines) == len(view_of(pilot).shown) == 100
        await until(pilot, lambda: text_of(pilot).split("\n")[10][:60] == before, "the same line")


async def test_only_the_visible_mode_reads_the_log(log: Paths, engine: ScriptedEngine) -> None:
    app = open_app(log, engine, "logs")
    async with app.run_test() as pilot:
        await sees(pilot, "6 of 6")
        view = view_of(pilot)
        await app.action_open("overview")
        write(log, info(1))
        ticks = engine.statuses
        await until(pilot, lambda: engine.statuses > ticks + 5)
        assert len(view.lines) == 6
        await app.action_open("logs")
        await sees(pilot, "entry number 1")
