"""One measure of a load run as a curve that fills its panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content

from engine.schema import LoadProgress, Tier
from hmi_tui import figures, tones
from hmi_tui.tones import Tone
from hmi_tui.widgets.panel import Panel

Read = Callable[[LoadProgress], float | None]
Measure = tuple[str, Read, Callable[[float | None], str]]


def _found(tier: Tier, *beyond: Tier) -> Read:
    """The share of those answers whose adapter was in `tier`, among it and the tiers `beyond`."""

    def read(sample: LoadProgress) -> float | None:
        here = sample.tiers.get(tier, 0)
        asked = here + sum(sample.tiers.get(other, 0) for other in beyond)
        return here / asked if asked else None

    return read


OFFERED: Measure = ("offered/s", lambda p: p.offered_per_s, figures.rate)
ANSWERED: Measure = ("answered/s", lambda p: p.answered_per_s, figures.rate)
LOAD_MEASURES: tuple[Measure, ...] = (
    OFFERED,
    ANSWERED,
    ("p50", lambda p: p.p50_s, figures.seconds),
    ("p99", lambda p: p.p99_s, figures.seconds),
    ("device hits", _found("device", "host", "disk"), figures.share),
    ("host hits", _found("host", "disk"), figures.share),
    ("table hits", lambda p: p.hit_rate, figures.share),
    ("errors/s", lambda p: p.errors_per_s, figures.rate),
)


class LoadCurve(Panel):
    """A second a dot, the newest at the right; the frame says the value now and the highest one.

    `peers` are measures of one scale with this one, so that their curves can be compared.
    """

    DEFAULT_CSS = "LoadCurve { height: 1fr; width: 1fr; }"

    def __init__(self, measure: Measure) -> None:
        super().__init__()
        self.measure = measure
        self.peers = (OFFERED, ANSWERED) if measure in (OFFERED, ANSWERED) else (measure,)
        self.samples: Sequence[LoadProgress] = ()

    def tell_samples(self, samples: Sequence[LoadProgress]) -> None:
        if samples is not self.samples:
            self.samples = samples
            self.refresh()

    def lines(self, width: int) -> Sequence[Content]:
        name, read, show = self.measure
        shown = self.samples[-2 * width :]
        values = [read(sample) for sample in shown]
        known = [value for value in values if value is not None]
        now = show(values[-1]) if values else figures.NOTHING
        self.border_title = f"{name}  {now}"
        self.border_subtitle = f"top {show(max(known))}" if known else "nothing yet"
        rows = figures.thin_curve(values, width, max(1, self.content_size.height), self._top(shown))
        bad: Tone = "bad" if name == "errors/s" and any(known) else "accent"
        return [Content.styled(row, tones.STYLES[bad]) for row in rows]

    def _top(self, shown: Sequence[LoadProgress]) -> float | None:
        if self.measure[2] is figures.share:
            return 1.0
        values = [read(sample) for sample in shown for _, read, _ in self.peers]
        return max((value for value in values if value is not None), default=0.0) or None
