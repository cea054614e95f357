"""Curves over steps: loss, or held-out accuracy, of one job or of several."""

from __future__ import annotations

from collections.abc import Sequence

from textual_plot import HiResMode, PlotWidget

from engine.schema import Point
from hmi_tui import figures

SIGNS = "●▲■◆"
FEW = 20
"""Points up to which each of a curve is marked."""


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
        self._curves: tuple[tuple[str, tuple[tuple[int, float], ...]], ...] = ()

    def tell(self, points: Sequence[Point]) -> None:
        """One curve."""
        self.tell_all([("", points)] if points else [])

    def tell_all(self, curves: Sequence[tuple[str, Sequence[Point]]]) -> None:
        """Several curves, each with the name it has in the legend."""
        wanted = tuple(
            (name, tuple((point.step, point.value) for point in points))
            for name, points in curves
            if points
        )
        if wanted != self._curves:
            self._curves = wanted
            self._draw()

    def on_mount(self) -> None:
        super().on_mount()
        self.margin_top = 0
        self.margin_bottom = 1
        self.margin_left = 7
        self._draw()

    def _draw(self) -> None:
        self.clear()
        self.border_title = self.title + self._legend()
        if not self._curves:
            self.border_subtitle = "no points yet"
            return
        last = [points[-1][1] for _, points in self._curves]
        self.border_subtitle = " · ".join(map(self._told, last))
        scale = 100 if self.shares else 1
        values = [value * scale for _, points in self._curves for _, value in points]
        # Left to itself the plot would stretch one point's rounding over the whole axis.
        pad = max((max(values) - min(values)) * 0.1, 1.0 if self.shares else 0.02)
        top = max(values) + pad
        self.set_ylimits(max(0.0, min(values) - pad), min(100.0, top) if self.shares else top)
        self.set_xlimits(0, max(step for _, points in self._curves for step, _ in points))
        for number, (_, points) in enumerate(self._curves):
            self._draw_one(number, points, scale)

    def _draw_one(self, number: int, points: tuple[tuple[int, float], ...], scale: int) -> None:
        theme = self.app.current_theme
        colours = (theme.primary, theme.warning, theme.success, theme.secondary)
        colour = str(colours[number % len(colours)] or theme.primary)
        steps = [step for step, _ in points]
        values = [value * scale for _, value in points]
        if len(values) > 1:
            self.plot(steps, values, line_style=colour, hires_mode=HiResMode.BRAILLE)
        if len(values) <= FEW or len(self._curves) > 1:
            # Without colour it is the signs that tell several curves apart.
            every = max(1, -(-len(values) // FEW))
            marker = SIGNS[number % len(SIGNS)]
            self.scatter(steps[::every], values[::every], marker=marker, marker_style=colour)

    def _legend(self) -> str:
        if len(self._curves) < 2:
            return ""
        named = (f"{SIGNS[i % len(SIGNS)]} {name}" for i, (name, _) in enumerate(self._curves))
        return (" · " + "  ".join(named)).replace("[", r"\[")

    def _told(self, value: float) -> str:
        return figures.share(value, 1) if self.shares else f"{value:.4f}"
