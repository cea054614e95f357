"""A curve over steps: loss, or held-out accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from textual_plot import HiResMode, PlotWidget

from engine.schema import Point
from hmi_tui import figures


class CurvePlot(PlotWidget, can_focus=False):
    """Draws again only when the points or the size changed."""

    DEFAULT_CSS = """
    CurvePlot { border: round $frame; border-title-color: $muted;
        border-subtitle-color: $muted; background: $background;
        & > .plot--axis { color: $frame; }
        & > .plot--tick { color: $muted; text-style: none; }
        & > .plot--label { color: $muted; text-style: none; }
    }
    """

    def __init__(self, title: str, *, shares: bool = False, id: str) -> None:
        super().__init__(id=id, allow_pan_and_zoom=False)
        self.title = title
        self.shares = shares
        self.border_title = title
        self._points: tuple[tuple[int, float], ...] = ()

    def tell(self, points: Sequence[Point]) -> None:
        wanted = tuple((point.step, point.value) for point in points)
        if wanted != self._points:
            self._points = wanted
            self._draw()

    def on_mount(self) -> None:
        super().on_mount()
        self.margin_top = 0
        self.margin_bottom = 1
        self.margin_left = 7
        self._draw()

    def _draw(self) -> None:
        self.clear()
        if not self._points:
            self.border_subtitle = "no points yet"
            return
        last = self._points[-1][1]
        self.border_subtitle = figures.share(last, 1) if self.shares else f"{last:.4f}"
        steps = [step for step, _ in self._points]
        scale = 100 if self.shares else 1
        values = [value * scale for _, value in self._points]
        # Left to itself the plot would stretch one point's rounding over the whole axis.
        pad = max((max(values) - min(values)) * 0.1, 1.0 if self.shares else 0.02)
        top = max(values) + pad
        self.set_ylimits(max(0.0, min(values) - pad), min(100.0, top) if self.shares else top)
        self.set_xlimits(0, max(steps))
        colour = str(self.app.current_theme.primary)
        if len(values) > 1:
            self.plot(steps, values, line_style=colour, hires_mode=HiResMode.BRAILLE)
        if len(values) <= 20:
            self.scatter(steps, values, marker="●", marker_style=colour)
