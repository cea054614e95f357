from __future__ import annotations

from engine.client import Paths
from hmi_tui.widgets.slot_grid import SIGNS, SlotGrid, degrees
from tests.hmi_tui.app.screens import NARROW, open_app, sees
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
