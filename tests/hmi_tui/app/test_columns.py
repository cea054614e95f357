from __future__ import annotations

from hmi_tui.widgets.columns import GAP, MARGIN, Column, fit, lay_out

COLUMNS: tuple[Column[str], ...] = (
    Column("name", str, 10, grow=1),
    Column("bytes", str, 8, "right"),
    Column("age", str, 5, "right", rank=2),
    Column("mode", str, 6, rank=1),
)


def width_of(placed: list[tuple[Column[str], int]]) -> int:
    return MARGIN + sum(width for _, width in placed) + GAP * (len(placed) - 1)


def test_the_least_needed_columns_go_first() -> None:
    assert [column.title for column, _ in lay_out(COLUMNS, 34)] == ["name", "bytes", "mode"]
    assert [column.title for column, _ in lay_out(COLUMNS, 24)] == ["name", "bytes"]


def test_the_width_that_is_left_over_is_used() -> None:
    assert width_of(lay_out(COLUMNS, 100)) == 100


def test_a_cell_has_exactly_its_width_whatever_it_holds() -> None:
    assert fit("polarity", 5, "left") == "pola…"
    assert fit("7", 4, "right") == "   7"
    assert fit("两行\nx", 8, "left") == "两行 x  "
