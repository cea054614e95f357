"""One measure of the traffic as a curve that fills its panel."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel
from hmi_tui.widgets.traffic_panel import Measure


class RatePanel(Panel):
    """The newest value at the right; the frame says the value now and the highest one."""

    DEFAULT_CSS = "RatePanel { height: 1fr; width: 1fr; }"

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self.measure = measure

    def lines(self, width: int) -> Sequence[Content]:
        name, read, show = self.measure
        values = [read(rates) for rates in self.snapshot.rates]
        known = [value for value in values[-2 * width :] if value is not None]
        now = show(values[-1]) if values else figures.NOTHING
        self.border_title = f"{name}  {now}"
        self.border_subtitle = f"top {show(max(known))}" if known else "nothing yet"
        top = 1.0 if show is figures.share else None
        rows = figures.thin_curve(values, width, max(1, self.content_size.height), top)
        return [Content.styled(row, tones.ACCENT) for row in rows]
