from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from textual.pilot import Pilot
from textual.widgets import Select

from engine.client import Paths
from engine.schema import LoadRequest
from hmi_tui.load import simulation as module
from hmi_tui.load.kept import kept_folder, kept_runs
from hmi_tui.load.process import SimulatorProcess
from hmi_tui.load.run import LoadRun
from hmi_tui.screens.load import LoadScreen
from hmi_tui.screens.load_comparison import LoadComparison
from tests.hmi_tui.app import scripted_simulator
from tests.hmi_tui.app.screens import WIDE, fill, footer_keys, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine

Simulator = Callable[[str], list[LoadRequest]]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Simulator:
    """Makes runs go "well", "badly" or be "endless"; what they were asked for is remembered."""

    def going(how: str) -> list[LoadRequest]:
        asked: list[LoadRequest] = []

        def command(paths: Paths, request: LoadRequest) -> list[str]:
            asked.append(request)
            program = scripted_simulator.__file__
            return [sys.executable, program, str(request.rate), str(request.duration), how]

        monkeypatch.setattr(module, "simulator_command", command)
        return asked

    return going


def screen_of(pilot: Pilot[None]) -> LoadScreen:
    screen = pilot.app.screen_stack[0]
    assert isinstance(screen, LoadScreen)
    return screen


def shown(pilot: Pilot[None]) -> LoadRun:
    run = screen_of(pilot).shown
    assert run is not None
    return run


async def start(pilot: Pilot[None], **values: str) -> None:
    await sees(pilot, "● up", "Kept runs")
    await pilot.press("n")
    await sees(pilot, "Put load on the engine")
    await fill(pilot, **values)
    await pilot.press("enter")


async def run_to_the_end(pilot: Pilot[None], **values: str) -> None:
    """A run of two lines, until it is kept."""
    before = len(kept_runs(kept_folder(screen_of(pilot).hmi.paths)))
    await start(pilot, duration="2", **values)
    await until(pilot, lambda: len(screen_of(pilot)._kept) == before + 1, "a kept run")
    await sees(pilot, "✓ ended")


async def test_a_run_is_started_with_what_the_form_says_and_its_curves_are_live(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator, tmp_path: Path
) -> None:
    asked = simulator("endless")
    texts = tmp_path / "texts.txt"
    texts.write_text("a text\n")
    async with open_app(paths, engine, "load").run_test(notifications=True) as pilot:
        await sees(pilot, "● up")
        await pilot.press("n")
        await fill(pilot, rate="40", duration="0", tenants="3", text=str(texts), slo_ms="250")
        for select, value in zip(pilot.app.screen.query(Select), ("zipf", "gamma"), strict=True):
            select.value = value
        await pilot.press("enter")
        await sees(
            pilot, "Sending 40 requests a second.", "vPLMs     121", "tenants   10", "40/s asked"
        )
        await sees(pilot, "offered/s  40.0", "answered/s  39.0", "p50  8.0 ms", "p99  20 ms")
        await sees(pilot, "device hits  60 %", "host hits  75 %", "table hits  71 %")
        await sees(pilot, "errors/s  1.0", "▶ ")
    (request,) = asked
    assert (request.rate, request.duration, request.tenants) == (40, 0, 3)
    assert (request.popularity, request.arrivals, request.slo_ms) == ("zipf", "gamma", 250)
    assert request.text == str(texts)


async def test_what_cannot_be_asked_for_starts_nothing(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    asked = simulator("endless")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await start(pilot, rate="0")
        await sees(pilot, "greater than 0")
        for bad, complaint in (
            ({"rate": "fast"}, "A number is wanted here."),
            ({"rate": "20", "tenants": "0"}, "greater than or equal to 1"),
            ({"tenants": "", "text": "/nowhere.txt"}, "There is no file '/nowhere.txt'."),
        ):
            await fill(pilot, **bad)
            await pilot.press("enter")
            await sees(pilot, complaint)
    assert asked == []


async def test_the_rate_is_changed_while_it_runs(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("endless")
    async with open_app(paths, engine, "load").run_test(notifications=True) as pilot:
        await start(pilot, rate="20")
        await sees(pilot, "offered/s  20.0")
        await pilot.press("r")
        await sees(pilot, "Change the rate")
        await fill(pilot, rate="0")
        await pilot.press("enter")
        await sees(pilot, "greater than 0")
        await fill(pilot, rate="80")
        await pilot.press("enter")
        await sees(pilot, "Sending 80 requests a second from now on.", "80/s asked")
        await sees(pilot, "offered/s  80.0", "top 80.0")
        await pilot.press("+")
        await sees(pilot, "100/s asked", "offered/s  100.0")
        await pilot.press("-", "-")
        await sees(pilot, "64/s asked", "offered/s  64.0")


async def test_a_run_is_stopped_and_kept_with_its_report(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("endless")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await start(pilot, name="evening peak")
        await sees(pilot, "offered/s  20.0")
        await pilot.press("s")
        await sees(pilot, "■ stopped", "in slo", "93.0 %")
        await until(pilot, lambda: kept_runs(kept_folder(paths)), "a kept run")
        await sees(pilot, "› evening")  # noqa: RUF001
    (run,) = kept_runs(kept_folder(paths))
    assert run.report is not None
    assert (run.name, run.report.ended_early, len(run.samples) > 0) == ("evening peak", True, True)


async def test_the_rate_of_a_run_that_has_ended_meanwhile_is_not_changed(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("endless")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await start(pilot)
        await sees(pilot, "offered/s  20.0")
        await pilot.press("r")
        await sees(pilot, "Change the rate")
        screen_of(pilot).action_stop()
        await until(pilot, lambda: not screen_of(pilot).simulation.running, "the end")
        await pilot.press("enter")
        await sees(pilot, "The run has ended.")


async def test_only_keys_that_do_something_are_in_the_footer(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("endless")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await sees(pilot, "● up")
        await until(pilot, lambda: "n" in footer_keys(pilot))
        assert not {"s", "r"} & set(footer_keys(pilot))
        await start(pilot)
        await until(pilot, lambda: {"s", "r"} <= set(footer_keys(pilot)))
        assert "n" not in footer_keys(pilot)
        assert len(footer_keys(pilot)) <= 7


async def test_a_run_goes_on_in_other_modes_and_ends_with_the_application(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("endless")
    app = open_app(paths, engine, "load")
    async with app.run_test() as pilot:
        await start(pilot)
        await sees(pilot, "offered/s  20.0")
        process = psutil.Process(screen_of(pilot).simulation._process._process.pid)  # type: ignore[union-attr]
        await app.action_open("overview")
        await sees(pilot, "Adapters by tier")
        await app.action_open("load")
        seen = shown(pilot).samples[-1].at_s
        await until(pilot, lambda: shown(pilot).samples[-1].at_s > seen, "more of the run")
        assert process.is_running()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert kept_runs(kept_folder(paths)) == []


async def test_load_from_the_beginning_is_shown_and_kept_whatever_mode_is_open(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    request = LoadRequest(rate=40, duration=0, popularity="zipf")
    asked = simulator("endless")
    app = open_app(paths, engine, load=request)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.simulation.run and app.simulation.run.samples, "load")
        await app.action_open("load")
        await sees(pilot, "40/s asked", "offered/s  40.0", "vPLMs     121")
        await app.action_open("overview")
        app.simulation.stop()
        await until(pilot, lambda: kept_runs(kept_folder(paths)), "a kept run")
        await app.action_open("load")
        await sees(pilot, "■ stopped")
    assert asked == [request]


async def test_a_simulator_that_fails_says_why_and_what_to_do(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("badly")
    async with open_app(paths, engine, "load").run_test(notifications=True) as pilot:
        await start(pilot)
        await sees(pilot, "✗ failed", "There is no vPLM to ask.", "n tries again.")
        assert kept_runs(kept_folder(paths)) == []
        await until(pilot, lambda: "n" in footer_keys(pilot))


async def test_two_kept_runs_are_compared_figure_by_figure(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("well")
    async with open_app(paths, engine, "load").run_test(size=WIDE, notifications=True) as pilot:
        await sees(pilot, "● up", "No runs yet.")
        await pilot.press("v")
        await sees(pilot, "Mark two kept runs with space")
        await run_to_the_end(pilot, rate="20", name="calm")
        await run_to_the_end(pilot, rate="80", name="busy")
        await sees(pilot, "› busy", "calm")  # noqa: RUF001
        await pilot.press("home", "space", "space", "v")
        await sees(pilot, "Compare two runs", "calm", "busy", "20.0", "80.0")
        await sees(pilot, "×4.00  worse", "×1.00  alike", "×4.1")  # noqa: RUF001
        comparison = pilot.app.screen
        assert isinstance(comparison, LoadComparison)
        rows = {row.name: row for row in comparison.rows}
        assert (rows["p99"].first, rows["p99"].second, rows["p99"].ratio) == ("20 ms", "80 ms", 4)
        assert [rows[name].verdict[0] for name in ("p99", "p50", "answered/s")] == [
            "worse",
            "alike",
            "better",
        ]
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, LoadScreen)


async def test_kept_runs_survive_the_application_and_show_their_curves(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("well")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await run_to_the_end(pilot, rate="30", name="kept")
    async with open_app(paths, engine, "load").run_test(size=WIDE) as pilot:
        await sees(pilot, "› kept", "offered/s  30.0", "✓ ended")  # noqa: RUF001
        await pilot.press("d")
        await sees(pilot, "rate asked", "30/s", "table hits", "queue_full")
        await pilot.press("escape", "/", *"nothing")
        await sees(pilot, "Nothing matches 'nothing'.")


async def test_a_kept_run_is_deleted_after_a_question_that_names_it(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("well")
    async with open_app(paths, engine, "load").run_test() as pilot:
        await run_to_the_end(pilot, name="old")
        await pilot.press("x")
        await sees(pilot, "Delete the run old?")
        await pilot.press("n")
        await sees(pilot, "› old")  # noqa: RUF001
        await pilot.press("x")
        await sees(pilot, "Delete the run old?")
        await pilot.press("y")
        await sees(pilot, "No runs yet.", "n starts a run")
    assert kept_runs(kept_folder(paths)) == []


async def test_a_folder_that_cannot_be_written_is_told_with_a_remedy(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("well")
    paths.state.mkdir(parents=True)
    kept_folder(paths).write_text("in the way")
    async with open_app(paths, engine, "load").run_test(notifications=True) as pilot:
        await start(pilot, duration="1")
        await sees(pilot, "The run cannot be kept", "Make room there")


async def test_the_real_simulator_says_that_no_engine_answers(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "load").run_test(notifications=True) as pilot:
        await start(pilot)
        await sees(pilot, "✗ failed", "hmi serve")


async def test_the_simulators_own_settings_in_the_environment_do_not_reach_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMI_LOAD_RAMP", "5:1")
    done: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
    program = (
        "import os; print([k for k in os.environ if k.startswith('HMI_LOAD')], file=os.sys.stderr)"
    )
    SimulatorProcess(
        [sys.executable, "-c", program],
        lambda _line: None,
        lambda code, said: done.set_result((code, said)),
    )
    assert await asyncio.wait_for(done, 10) == (0, "[]")
    assert os.environ["HMI_LOAD_RAMP"] == "5:1"


async def test_kept_runs_are_ordered_by_capitals(
    paths: Paths, engine: ScriptedEngine, simulator: Simulator
) -> None:
    simulator("well")
    async with open_app(paths, engine, "load").run_test(size=WIDE) as pilot:
        for name in ("beta", "alpha"):
            await run_to_the_end(pilot, name=name)
        table = screen_of(pilot).runs.table

        def names() -> list[str]:
            return [row.name for row in map(table._pages.row, range(table.total)) if row]

        await pilot.press("R")
        await until(pilot, lambda: names() == ["alpha", "beta"], "the runs by name")
        await pilot.press("R")
        await until(pilot, lambda: names() == ["beta", "alpha"], "the other way round")


async def test_kept_runs_do_not_grow_old(
    paths: Paths, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hmi_tui.widgets.listing.OLD_S", 0.0)
    async with open_app(paths, engine, "load").run_test() as pilot:
        await sees(pilot, "● up", "No runs yet.")
        ticks = engine.statuses
        await until(pilot, lambda: engine.statuses > ticks + 2)
        assert "not read for" not in text_of(pilot)
