"""A confusion matrix: what each label's rows were taken for."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from engine.schema import ClassReport, Confusion
from hmi_tui import figures, tones

NAMES = 14
CELL = 6


class Matrix(Widget):
    """Rows are the right labels, columns what they were taken for. Right ones are in brackets, so
    that they stand out without colour; nothing is a dot."""

    DEFAULT_CSS = "Matrix { height: auto; width: auto; padding: 0 1; }"

    def __init__(self, confusion: Confusion, classes: Sequence[ClassReport] = ()) -> None:
        super().__init__()
        self.confusion = confusion
        self.reports = {one.label: one for one in classes}

    def render(self) -> RenderResult:
        found = self.confusion
        head = " " * (NAMES + 1) + "".join(_short(name).rjust(CELL) for name in found.labels)
        more = " precision     F1  rows" if self.reports else ""
        lines = [Content.styled(f"{head}  right{more}", tones.MUTED)]
        for row, (name, counts) in enumerate(zip(found.labels, found.counts, strict=True)):
            total = sum(counts)
            right = figures.share(counts[row] / total if total else None)
            cells = [_cell(count, here=row == column) for column, count in enumerate(counts)]
            label = figures.shorten(name, NAMES).ljust(NAMES) + " "
            lines.append(
                Content.assemble(
                    (label, tones.ACCENT),
                    *cells,
                    (f"{right:>7}", tones.STRONG),
                    self._told(name),
                )
            )
        return Content("\n").join(lines)

    def _told(self, label: str) -> tuple[str, str]:
        """A label's precision, F1 and support, where they are known."""
        one = self.reports.get(label)
        if one is None:
            return "", tones.MUTED
        precision, f1 = figures.share(one.precision), figures.share(one.f1)
        return f"{precision:>10} {f1:>6} {one.support:>5}", tones.MUTED


def _short(name: str) -> str:
    return figures.shorten(name, CELL - 1)


def _cell(count: int, *, here: bool) -> tuple[str, str]:
    if here:
        return f"[{count}]".rjust(CELL), tones.GOOD
    return (f"{count} ".rjust(CELL), tones.WARN) if count else ("· ".rjust(CELL), tones.MUTED)
