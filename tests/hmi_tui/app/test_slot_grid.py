from __future__ import annotations

from textual.pilot import Pilot

from engine.client import Paths
from hmi_tui.timeline.heat import SIGNS, degrees, hottest
from hmi_tui.widgets.slot_grid import SlotGrid
from tests.hmi_tui.app.screens import NARROW, WIDE, open_app, sees, text_of, until
from tests.hmi_tui.app.scripted_engine import ScriptedEngine
from tests.hmi_tui.app.span_documents import slot_map


def test_a_slot_is_marked_by_its_share_of_the_highest_heat() -> None:
    heat = [100.0, 30.0, 24.0, 6.0, 0.001, 0.0, None]
    assert "".join(SIGNS[degree] for degree in degrees(heat)) == "██▓▒░○·"


def test_free_slots_alone_are_all_free() -> None:
    assert degrees([None, None]) == [0, 0]
    assert degrees([]) == []


def test_a_cell_stands_for_neighbours_where_there_is_not_room_for_all() -> None:
    grid = SlotGrid()
    grid.tell(slot_map())
    cells, each = grid.cells(10, 4)
    assert each == 2
    assert len(cells) == 40
    assert "".join(SIGNS[degree] for degree in cells[:5]) == "█▓▒○·"


async def test_a_crowded_grid_says_what_a_cell_is_and_what_is_left_out(
    paths: Paths, engine: ScriptedEngine
) -> None:
    engine.slot_map = slot_map().model_copy(update={"slots": 9000, "heat": [1.0] * 2048})
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "7 of 9,000 filled", "a cell is 10")


def test_the_hottest_of_neighbours_is_meant_and_a_free_one_only_among_free_ones() -> None:
    assert hottest([1.0, None, 3.0, 3.0]) == 2
    assert hottest([None, 0.0]) == 1
    assert hottest([None, None]) == 0


async def on_the_slots(pilot: Pilot[None]) -> SlotGrid:
    await sees(pilot, "7 of 80 filled")
    await pilot.press("tab")
    await sees(pilot, "slot 1 · heat 64 · in a batch")
    return pilot.app.screen.query_one(SlotGrid)


async def test_keys_go_from_slot_to_slot_and_say_what_is_in_each(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        grid = await on_the_slots(pilot)
        await pilot.press("right", "right")
        await sees(pilot, "slot 3 · heat 9 · pinned")
        await pilot.press("end")
        await sees(pilot, "slot 80 · free")
        await pilot.press("right")
        assert grid.current == 80
        await pilot.press("home", "left", "down")
        assert grid.current == 1 + grid.content_size.width
        await pilot.press("up", "shift+tab")
        await sees(pilot, "· free ○ unused")


async def test_a_slot_is_described_with_whose_it_is(paths: Paths, engine: ScriptedEngine) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=WIDE) as pilot:
        await on_the_slots(pilot)
        await pilot.press("right", "right", "enter")
        await sees(pilot, "─ Slot 3 ─", "acme/model-00003", "heat 9", "stays until unpinned")
        assert engine.called("slot") == [(3,)]
        await pilot.press("escape", "end", "d")
        await sees(pilot, "─ Slot 80 ─", "the slot is free")


async def test_a_click_chooses_a_slot_and_a_second_one_describes_it(
    paths: Paths, engine: ScriptedEngine
) -> None:
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "7 of 80 filled")
        place = (2 + 4, 1)  # the fifth cell, beyond border and padding
        await pilot.click(SlotGrid, offset=place)
        await sees(pilot, "slot 5 · heat 2")
        await pilot.click(SlotGrid, offset=place)
        await sees(pilot, "─ Slot 5 ─", "acme/model-00005")


async def test_in_a_crowded_grid_the_cursor_means_the_hottest_of_its_cell(
    paths: Paths, engine: ScriptedEngine
) -> None:
    heat = [1.0] * 2048
    heat[7] = 5.0
    engine.slot_map = slot_map().model_copy(update={"slots": 9000, "heat": heat})
    async with open_app(paths, engine, "pipeline").run_test(size=NARROW) as pilot:
        await sees(pilot, "7 of 9,000 filled")
        await pilot.press("tab")
        await sees(pilot, "slot 8 · heat 5")
        await pilot.press("right")
        await until(pilot, lambda: "slot 8" not in text_of(pilot))
        grid = pilot.app.screen.query_one(SlotGrid)
        assert grid.current is not None
        assert grid.current > 10
