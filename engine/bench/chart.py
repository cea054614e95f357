"""Line charts as SVG, readable on light and on dark pages, without a plotting library."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 15px; font-weight: 600; }
.grid { stroke: #8c959f; stroke-opacity: .3; }
.axis { stroke: #57606a; }
.line { fill: none; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .axis { stroke: #9198a1; }
}"""
_COLOURS = ("#0969da", "#cf5500", "#1a7f37", "#bf3989", "#8250df", "#0b7f8f")
"""Told apart also by those who do not see red and green alike, and clear on white and on black."""
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "1 5", "12 4")
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 40, 56
_LEGEND_ROW = 20
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Chart:
    """`series` over a common x; y begins at zero. `percent` writes x, shares of 1, as percent."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    percent: bool = False
    log_x: bool = False
    width: int = 720
    height: int = 380

    def svg(self) -> str:
        """ValueError if there is no point."""
        plane = _Plane(self)
        legend = math.ceil(len(self.series) / 2) * _LEGEND_ROW
        height = self.height + legend
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {height}" '
            f'width="{self.width}" height="{height}" role="img" aria-label="{escape(self.title)}">'
        )
        return "\n".join((head, f"<style>{_STYLE}</style>", *self._parts(plane), "</svg>", ""))

    def _parts(self, plane: _Plane) -> Iterator[str]:
        middle = (_LEFT + self.width - _RIGHT) / 2
        yield _text(_LEFT, 22, self.title, "start", "title")
        yield from plane.axes()
        yield _text(middle, self.height - 14, self.x, "middle")
        turned = (self.height - _BOTTOM + _TOP) / 2
        yield (
            f'<text x="16" y="{turned:.1f}" text-anchor="middle" '
            f'transform="rotate(-90 16 {turned:.1f})">{escape(self.y)}</text>'
        )
        for number, series in enumerate(self.series):
            yield from self._drawn(plane, number, series)

    def _drawn(self, plane: _Plane, number: int, series: Series) -> Iterator[str]:
        colour, dash = _COLOURS[number % len(_COLOURS)], _DASHES[number % len(_DASHES)]
        look = f'class="line" stroke="{colour}" stroke-dasharray="{dash}"'
        places = [plane.place(point) for point in sorted(series.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline {look} points="{path}"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        left = _LEFT + (number % 2) * (self.width - _LEFT - _RIGHT) / 2
        at = self.height + number // 2 * _LEGEND_ROW
        yield f'<line x1="{left:.1f}" y1="{at}" x2="{left + 28:.1f}" y2="{at}" {look}/>'
        yield _text(left + 36, at + 4, series.name, "start")


class _Plane:
    """Where values lie on the page."""

    def __init__(self, chart: Chart) -> None:
        points = [point for series in chart.series for point in series.points]
        if not points:
            raise ValueError("a chart needs points")
        self._chart = chart
        self._xs = sorted({x for x, _ in points})
        self._low, self._high = self._scaled(self._xs[0]), self._scaled(self._xs[-1])
        self._step = _round_step(max(y for _, y in points) / _TICKS)
        self._rows = max(1, math.ceil(max(y for _, y in points) / self._step))
        self._right = chart.width - _RIGHT
        self._floor = chart.height - _BOTTOM

    def place(self, point: Point) -> Point:
        span = self._high - self._low
        along = (self._scaled(point[0]) - self._low) / span if span else 0.5
        up = point[1] / (self._rows * self._step)
        x = _LEFT + along * (self._right - _LEFT)
        return x, self._floor - up * (self._floor - _TOP)

    def axes(self) -> Iterator[str]:
        for row in range(self._rows + 1):
            value = row * self._step
            _, y = self.place((self._xs[0], value))
            kind = "grid" if row else "axis"
            ends = f'x1="{_LEFT}" y1="{y:.1f}" x2="{self._right}" y2="{y:.1f}"'
            yield f'<line class="{kind}" {ends}/>'
            yield _text(_LEFT - 8, y + 4, f"{value:g}", "end")
        for value in self._xs:
            x, _ = self.place((value, 0.0))
            told = f"{value * 100:g} %" if self._chart.percent else f"{value:,.10g}"
            yield (
                f'<line class="axis" x1="{x:.1f}" y1="{self._floor}" x2="{x:.1f}" '
                f'y2="{self._floor + 5}"/>'
            )
            yield _text(x, self._floor + 20, told, "middle")

    def _scaled(self, x: float) -> float:
        return math.log10(x) if self._chart.log_x else x


def _round_step(rough: float) -> float:
    """The least of 1, 2 and 5 times a power of ten that is not below `rough`."""
    if rough <= 0:
        return 1.0
    unit: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * unit for step in (1, 2, 5, 10) if step * unit >= rough * (1 - 1e-9))


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{of}>{escape(words)}</text>'
