"""A confusion matrix: what each label's rows were taken for."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from engine.schema import Confusion
from hmi_tui import figures, tones

NAMES = 14
CELL = 6


class Matrix(Widget):
    """Rows are the right labels, columns what they were taken for. Right ones are in brackets, so
    that they stand out without colour; nothing is a dot."""

    DEFAULT_CSS = "Matrix { height: auto; width: auto; padding: 0 1; }"

    def __init__(self, confusion: Confusion) -> None:
        super().__init__()
        self.confusion = confusion

    def render(self) -> RenderResult:
        found = self.confusion
        head = " " * (NAMES + 1) + "".join(_short(name).rjust(CELL) for name in found.labels)
        lines = [Content.styled(f"{head}  right", tones.MUTED)]
        for row, (name, counts) in enumerate(zip(found.labels, found.counts, strict=True)):
            total = sum(counts)
            right = figures.share(counts[row] / total if total else None)
            cells = [_cell(count, here=row == column) for column, count in enumerate(counts)]
            label = figures.shorten(name, NAMES).ljust(NAMES) + " "
            lines.append(
                Content.assemble((label, tones.ACCENT), *cells, (f"{right:>7}", tones.STRONG))
            )
        return Content("\n").join(lines)


def _short(name: str) -> str:
    return figures.shorten(name, CELL - 1)


def _cell(count: int, *, here: bool) -> tuple[str, str]:
    if here:
        return f"[{count}]".rjust(CELL), tones.GOOD
    return (f"{count} ".rjust(CELL), tones.WARN) if count else ("· ".rjust(CELL), tones.MUTED)
