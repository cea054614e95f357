"""What goes through the engine: rates and delays with their last two minutes, and the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from engine.schema import Rates
from hmi_tui import figures, tones
from hmi_tui.widgets.panel import Panel, bar_line, muted

NAMES = 11
VALUES = 9

Measure = tuple[str, Callable[[Rates], float | None], Callable[[float | None], str]]

MEASURES: tuple[Measure, ...] = (
    ("requests/s", lambda r: r.requests_per_s, figures.rate),
    ("texts/s", lambda r: r.texts_per_s, figures.rate),
    ("tokens/s", lambda r: r.tokens_per_s, figures.rate),
    ("p50", lambda r: r.p50_s, figures.seconds),
    ("p99", lambda r: r.p99_s, figures.seconds),
    ("table hits", lambda r: r.hit_rate, figures.share),
    ("batch size", lambda r: r.batch_size, figures.rate),
    ("errors/s", lambda r: r.errors_per_s, figures.rate),
    ("swaps/s", lambda r: r.swaps_per_s, figures.rate),
)

FOR_TALL = ("texts/s", "tokens/s", "batch size")
"""Not on a short screen, nor are errors, if there are none."""


class TrafficPanel(Panel):
    TITLE = "Traffic"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        self.border_subtitle = f"last {status.rates.window_s:.0f} s"
        left_out: tuple[str, ...] = FOR_TALL if self.short else ()
        if self.short and not any(rates.errors_per_s for rates in self.snapshot.rates):
            left_out = (*left_out, "errors/s")
        lines = [self._line(measure, width) for measure in MEASURES if measure[0] not in left_out]
        queue = status.queue
        full = queue.tokens / queue.limit_tokens if queue.limit_tokens else 0
        value = f"{figures.count(queue.depth)} waiting"
        lines.append(bar_line("queue", full, value, width, names=NAMES, values=12))
        return lines

    def _line(self, measure: Measure, width: int) -> Content:
        name, read, show = measure
        history = self.snapshot.rates
        value = read(history[-1]) if history else None
        top = 1.0 if name == "table hits" else None
        curve = figures.spark([read(rates) for rates in history], width - NAMES - VALUES - 2, top)
        bad = name == "errors/s" and value
        return Content.assemble(
            (name.ljust(NAMES), tones.MUTED),
            (show(value).rjust(VALUES), tones.BAD if bad else tones.STRONG),
            ("  " + curve, tones.BAD if bad else tones.CURVE),
        )
