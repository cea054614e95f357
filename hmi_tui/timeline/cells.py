"""A row of bars as the cells of a terminal: how full each is, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hmi_tui.timeline.lanes import ROWS, Bar
from hmi_tui.timeline.view import View

LEVELS = " ▁▂▃▄▅▆▇█"
OTHER = "▓"
"""A full cell of every second batch, where batches are wide enough to be told apart."""
CHOSEN = "◆"
SMALL = ("epoch", "job")


@dataclass(frozen=True, slots=True)
class CellRow:
    """For each cell the share of its time in which a bar worked, and the bar that did most."""

    fill: list[float]
    owner: list[Bar | None]
    chosen: frozenset[int]
    """Cells that the chosen batch has a part in."""


def fill_cells(bars: Sequence[Bar], view: View, width: int, chosen: int | None = None) -> CellRow:
    """`bars` by start. Those that overlap count once; one of no length shows all the same."""
    fill, most = [0.0] * width, [-1.0] * width
    owner: list[Bar | None] = [None] * width
    marked: set[int] = set()
    begin, scale, reached = view.begin, width / view.span, 0.0
    for bar in bars:
        left, right = (bar.start - begin) * scale, (bar.end - begin) * scale
        if right < 0 or left >= width:
            continue
        left, right = max(0.0, left), min(float(width), right)
        x, last = int(left), min(int(right), width - 1)
        if last > x and last == right:
            last -= 1
        if chosen is not None and bar.batch == chosen:
            marked.update(range(x, last + 1))
        new = max(reached, left)
        if x == last:
            # Most bars of a busy engine are shorter than a cell.
            part = right - left
            fill[x] += max(0.0, right - new)
            if part > most[x]:
                most[x], owner[x] = part, bar
        else:
            for cell in range(x, last + 1):
                until = min(right, cell + 1.0)
                part = until - max(left, cell)
                fill[cell] += max(0.0, until - max(new, cell))
                if part > most[cell]:
                    most[cell], owner[cell] = part, bar
        reached = max(reached, right)
    return CellRow([min(1.0, share) for share in fill], owner, frozenset(marked))


def glyphs(row: CellRow, height: int, scale: float) -> list[str]:
    """The row's lines, top first, `height` of them; `scale` is cells a second.

    Full cells are blocks, others are as high as they are full. A cell that somebody worked in is
    never blank.
    """
    eighths = [
        max(1, round(share * height * 8)) if owner is not None else 0
        for share, owner in zip(row.fill, row.owner, strict=True)
    ]
    lines: list[str] = []
    for line in range(height - 1, -1, -1):
        cells = [LEVELS[max(0, min(8, level - 8 * line))] for level in eighths]
        for x, owner in enumerate(row.owner):
            if x in row.chosen and cells[x] != " ":
                cells[x] = CHOSEN
            elif cells[x] == LEVELS[-1] and owner is not None and _is_odd(owner, scale):
                cells[x] = OTHER
        lines.append("".join(cells))
    return lines


def labels(row: CellRow) -> Iterable[tuple[int, str]]:
    """Where what is written into a bar begins, of bars that are wide enough for it."""
    start = 0
    for x in range(1, len(row.owner) + 1):
        owner = row.owner[start]
        if x < len(row.owner) and row.owner[x] is owner:
            continue
        if owner is not None:
            text = owner.name if owner.batch is None else str(owner.batch)
            room = x - start
            if len(text) + 2 <= room and min(row.fill[start + 1 : x - 1], default=0.0) > 0.99:
                yield start + (room - len(text)) // 2, text
        start = x


def bands(rows: Sequence[Sequence[Bar]], height: int) -> list[tuple[list[Bar], int]]:
    """The rows of a lane and the lines each gets of `height`; rows without a line join the last."""
    used = [list(row) for row in rows] or [[]]
    shown = used[:height]
    rest = [bar for row in used[len(shown) - 1 :] for bar in row]
    shown[-1] = sorted(rest, key=lambda bar: bar.start)
    each, more = divmod(height, len(shown))
    return [(row, each + (number < more)) for number, row in enumerate(shown)]


def lane_heights(lanes: Sequence[str], height: int) -> dict[str, int]:
    """Lines for each lane, one at least, of `height`: one for those that have seldom anything to
    show, the same for all others as far as they go, and what is left for compute, of which several
    batches may be under way."""
    small = sum(lane in SMALL for lane in lanes)
    each = max(1, min(ROWS - 1, (height - small) // max(1, len(lanes) - small)))
    found = {lane: 1 if lane in SMALL else each for lane in lanes}
    if "compute" in found:
        found["compute"] = max(each, min(2 * ROWS - 2, each + height - sum(found.values())))
    return found


def _is_odd(bar: Bar, scale: float) -> bool:
    return bar.batch is not None and bar.batch % 2 == 1 and (bar.end - bar.start) * scale >= 2
