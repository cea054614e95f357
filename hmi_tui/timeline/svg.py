"""A trace drawn as lanes of bars over time, as an SVG that is readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from hmi_tui.figures import seconds
from hmi_tui.timeline.lanes import STAGES, Bar, shown, stack
from hmi_tui.timeline.scale import round_step

BATCHES = 12
"""Batches drawn: more are too thin to tell apart."""

_WIDTH, _LEFT, _RIGHT, _TOP, _FOOT = 960, 92, 12, 26, 30
_ROW, _GAP = 22, 8
_TICKS = 8
_COLOURS = {
    "queue": "#8a94a3",
    "retrieve": "#3b82d6",
    "load": "#d9822b",
    "compute": "#2f9e6e",
    "prefetch": "#8f6fd6",
    "swap": "#cf5a9a",
    "epoch": "#5f9ea0",
    "job": "#a08a5f",
    "generate": "#3f9fb0",
}
_STYLE = """\
text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#3d4450}
.in{font-size:10px;fill:#fff;text-anchor:middle}
.lane{text-anchor:end}.tick{text-anchor:middle;font-size:11px}
line{stroke:#3d4450;stroke-opacity:.15}
@media (prefers-color-scheme:dark){text{fill:#c9d1d9}.in{fill:#fff}
line{stroke:#c9d1d9}}"""


def draw(bars: Sequence[Bar], batches: int = BATCHES) -> str:
    """The SVG of `batches` successive batches from the middle of the trace, and all that went on
    beside them. Empty lanes are left out; a trace without a batch draws an empty picture."""
    begin, end = _window(bars, batches)
    inside = [bar for bar in bars if bar.end > begin and bar.start < end]
    worked = {bar.lane for bar in inside}
    lanes = [lane for lane in shown(worked) if lane in worked]
    body: list[str] = []
    y = _TOP
    for lane in lanes:
        rows = stack([bar for bar in inside if bar.lane == lane])
        height = _ROW if len(rows) == 1 else _ROW // 2
        middle = y + len(rows) * height / 2 + 4
        body.append(f'<text class="lane" x="{_LEFT - 10}" y="{middle:.1f}">{lane}</text>')
        for row in rows:
            body += (_bar(bar, begin, end, y, height - 2) for bar in row)
            y += height
        y += _GAP
    height = y + _FOOT
    drawn = {bar.batch for bar in inside if bar.lane in STAGES}
    title = f"{len(drawn)} batches in {seconds(end - begin)}"
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            *_axis(end - begin, _TOP - 6, y),
            *body,
            "</svg>\n",
        )
    )


def _window(bars: Sequence[Bar], batches: int) -> tuple[float, float]:
    stages = [bar for bar in bars if bar.lane in STAGES and bar.batch is not None]
    numbers = sorted({bar.batch for bar in stages if bar.batch is not None})
    if not numbers:
        return 0.0, 1.0
    first = max(0, (len(numbers) - batches) // 2)
    chosen = set(numbers[first : first + batches])
    inside = [bar for bar in stages if bar.batch in chosen]
    begin, end = min(bar.start for bar in inside), max(bar.end for bar in inside)
    return begin, max(end, begin + 1e-6)


def _bar(bar: Bar, begin: float, end: float, y: float, height: float) -> str:
    scale = (_WIDTH - _LEFT - _RIGHT) / (end - begin)
    left = _LEFT + (max(bar.start, begin) - begin) * scale
    width = max(0.6, (min(bar.end, end) - max(bar.start, begin)) * scale)
    # Neighbouring batches differ in strength, so that they can be told apart.
    strength = 1 if bar.batch is None or bar.batch % 2 else 0.72
    told = f"{bar.lane}, {bar.name}: {seconds(bar.end - bar.start)}"
    place = f'x="{left:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}" rx="1.5"'
    paint = f'fill="{_COLOURS[bar.lane]}" fill-opacity="{strength}"'
    shape = f"<rect {place} {paint}><title>{escape(told)}</title></rect>"
    if bar.batch is None or width < 26 or height < 14:
        return shape
    x, base = left + width / 2, y + height / 2 + 3.5
    return f'{shape}<text class="in" x="{x:.1f}" y="{base:.1f}">{bar.batch}</text>'


def _axis(span: float, top: float, bottom: float) -> Iterator[str]:
    step = round_step(span / _TICKS)
    scale = (_WIDTH - _LEFT - _RIGHT) / span
    for number in range(int(span / step) + 1):
        x = _LEFT + number * step * scale
        yield f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{bottom + 16}">{seconds(number * step)}</text>'
