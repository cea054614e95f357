"""The pipeline mode: each of its actions by its key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input, Select

from engine.client import NotFound, Paths
from engine.schema import SpanFeed
from hmi_tui.screens.pipeline import PipelineScreen
from hmi_tui.widgets.lane_view import NAMES, LaneView
from tests.hmi_tui.app.screens import NARROW, WIDE, fill, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.app.span_documents import BEAT_S, batches


def screen_of(pilot: Pilot[None]) -> PipelineScreen:
    screen = pilot.app.screen
    assert isinstance(screen, PipelineScreen)
    return screen


async def test_new_batches_move_in_and_only_they_are_read(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        told = len(engine.spans_told)
        engine.spans_told += batches(41, 45)
        await sees(pilot, "Batch 45, the newest")
        asked = [after for after, _ in engine.called("spans")]
        assert asked[0] is None
        assert set(asked[1:]) <= {told, told + 20}
        assert told in asked


async def test_space_holds_the_picture_and_space_follows_again(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("space")
        await sees(pilot, "held, space goes on")
        read, ticks = len(engine.called("spans")), engine.statuses
        engine.spans_told += batches(41, 45)
        await until(pilot, lambda: engine.statuses > ticks + 4)
        assert "Batch 40, the newest" in text_of(pilot)
        assert len(engine.called("spans")) <= read + 1
        await pilot.press("space")
        await sees(pilot, "▶ live", "Batch 45, the newest")


async def test_plus_and_minus_zoom(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Last 10 s")
        await pilot.press("+")
        await sees(pilot, "Last 5.0 s", "╷-1.0 s")
        await pilot.press("+", "+", "+")
        await sees(pilot, "Last 500 ms", "╷-100 ms")
        await pilot.press("-", "-", "-", "-", "-")
        await sees(pilot, "Last 20 s")


async def test_the_wheel_zooms(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot._post_mouse_events([MouseScrollUp], LaneView)
        await sees(pilot, "Last 5.0 s")
        await pilot._post_mouse_events([MouseScrollDown], LaneView)
        await sees(pilot, "Last 10 s")


async def test_left_and_right_scroll_and_end_follows_the_newest(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        end = screen_of(pilot).view.end
        await pilot.press("left")
        await sees(pilot, "held, space goes on")
        assert screen_of(pilot).view.end == end - 2.5
        assert "Batch 40, the newest" not in text_of(pilot)
        await pilot.press("left", "right")
        assert screen_of(pilot).view.end == end - 2.5
        await pilot.press("end")
        await sees(pilot, "▶ live", "Batch 40, the newest")


async def test_a_cursor_goes_from_batch_to_batch_and_holds_the_picture(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("up")
        await sees(pilot, "─ Batch 40 ·", "▼ 40", "◆◆", "held, space goes on")
        await pilot.press("up", "up")
        await sees(pilot, "─ Batch 38 ·", "▼ 38")
        await pilot.press("down")
        await sees(pilot, "─ Batch 39 ·")
        await pilot.press("down", "down", "down")
        await sees(pilot, "─ Batch 40 ·")
        await pilot.press("escape")
        await sees(pilot, "Batch 40, the newest")
        assert "▼" not in text_of(pilot)


async def test_the_picture_goes_where_the_chosen_batch_is(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("+", "+", "+", "up", *["up"] * 12)
        await sees(pilot, "─ Batch 28 ·", "▼ 28")
        view = screen_of(pilot).view
        batch = screen_of(pilot).recording.batches[28]
        assert view.begin < batch.end <= view.end
        assert view.end < screen_of(pilot).recording.now - 5 * BEAT_S


async def test_a_batch_is_told_in_full(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(
            pilot,
            "12 texts through 5 adapters",
            "acme 7, globex 2 and 3 more",
            "400, 25 % not in tables",
        )
        await sees(pilot, "100 ms", "50 ms", "10 ms", "350 ms")
        await pilot.press("up", "enter")
        await sees(pilot, "acme/polarity", "globex/desk", "of 3 other adapters")
        await sees(pilot, "globex", "7 texts", "350 ms, 63.6 %", "550 ms, from its oldest text")


async def test_a_click_on_a_bar_chooses_its_batch(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        line = next(line for line in text_of(pilot).split("\n") if line.startswith("│load"))
        await pilot.click(LaneView, offset=(line.rindex("▁"), 4))
        await sees(pilot, "─ Batch 40 ·", "▼ 40")
        await pilot.click(LaneView, offset=(NAMES - 4, 4))
        assert screen_of(pilot).chosen == 40


async def test_a_second_click_on_the_chosen_batch_describes_it(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("up")
        await sees(pilot, "◆◆")
        lines = text_of(pilot).split("\n")
        y = next(y for y, line in enumerate(lines) if "◆◆" in line)
        await pilot.click(offset=(lines[y].index("◆◆"), y))
        await sees(pilot, "esc closes", "ended")


async def test_a_trace_is_saved_to_a_new_file(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path
) -> None:
    file, picture = tmp_path / "t.json", tmp_path / "t.svg"
    async with open_app(paths, engine, "pipeline").run_test(notifications=True) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("s")
        await sees(pilot, "Save a trace", "hmi-trace-")
        assert isinstance(pilot.app.focused, Input)
        await fill(pilot, file=str(file), seconds="12")
        pilot.app.screen.query_one(Select).value = "yes"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, PipelineScreen), "the form to shut")
        await sees(pilot, "ui.perfetto.dev")
    assert engine.called("trace") == [(12.0,)]
    assert json.loads(file.read_text())["traceEvents"] == []
    assert picture.read_text().startswith("<svg")


async def test_a_trace_that_cannot_be_saved_keeps_the_form_open(
    paths: Paths, engine: ScriptedEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a long name would be broken in two by the form
    there = tmp_path / "there.json"
    there.write_text("mine")
    good = {"file": "new.json", "seconds": "30"}
    async with open_app(paths, engine, "pipeline").run_test(size=WIDE) as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("s")
        for bad, complaint in (
            ({"file": there.name}, "there.json already"),
            ({"file": ""}, "The name of the file is missing."),
            ({"file": "none/t.json"}, "There is no folder"),
            ({"seconds": "long"}, "'long' is no number of seconds."),
            ({"seconds": "9999"}, "'9999' is no number of seconds."),
        ):
            await fill(pilot, **(good | bad))
            await pilot.press("enter")
            await sees(pilot, complaint)
    assert engine.called("trace") == []
    assert there.read_text() == "mine"


async def test_without_a_batch_the_keys_say_what_to_do_first(paths: Paths) -> None:
    async with open_app(paths, ScriptedEngine(), "pipeline").run_test(notifications=True) as pilot:
        await sees(pilot, "● up", "0 of 80 filled", "No batch in view.")
        for key in ("up", "enter"):
            await pilot.press(key)
            await until(pilot, lambda: text_of(pilot).count("ask a vPLM (6)") > 1, "the advice")
            pilot.app.clear_notifications()


async def test_another_engine_starts_another_recording(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        engine.pid, engine.spans_told = 77, batches(1, 3)
        await sees(pilot, "Batch 3, the newest")
        assert list(screen_of(pilot).recording.batches) == [1, 2, 3]


async def test_an_engine_that_is_gone_leaves_the_picture(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "Batch 40, the newest")
        engine.down = True
        await sees(
            pilot, "✗ down", "The engine is not running.", "Batch 40, the newest", "◆reviews"
        )


async def test_an_older_engine_is_said_to_be_one(paths: Paths) -> None:
    class Older(ScriptedEngine):
        async def spans(self, after: int | None = None, limit: int = 1024) -> SpanFeed:
            raise NotFound("Not Found")

    async with open_app(paths, Older(), "pipeline").run_test(size=WIDE) as pilot:
        await sees(pilot, "● up", "This engine tells no spans")


async def test_only_the_visible_pipeline_is_read(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test() as pilot:
        await sees(pilot, "Batch 40, the newest")
        await pilot.press("1")
        await sees(pilot, "Adapters by tier")
        ticks = engine.statuses
        await until(pilot, lambda: engine.statuses > ticks + 1)
        read, ticks = len(engine.called("spans")), engine.statuses
        await until(pilot, lambda: engine.statuses > ticks + 3)
        assert len(engine.called("spans")) == read
