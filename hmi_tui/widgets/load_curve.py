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

    def on_mount(self) -> None:
        self._say()

    def on_resize(self) -> None:
        self._say()

    def tell_samples(self, samples: Sequence[LoadProgress]) -> None:
        if samples is not self.samples:
            self.samples = samples
            self._say()
            self.refresh()

    def _shown(self) -> Sequence[LoadProgress]:
        return self.samples[-2 * max(1, self.content_size.width) :]

    def _values(self) -> list[float | None]:
        return [self.measure[1](sample) for sample in self._shown()]

    def _say(self) -> None:
        name, _, show = self.measure
        values = self._values()
        known = [value for value in values if value is not None]
        value = show(values[-1]) if values else figures.NOTHING
        room = self.content_size.width - 2
        gap = "  " if len(name) + len(value) + 2 <= room else " "
        self.border_title = f"{name}{gap}{value}"
        self.border_subtitle = f"top {show(max(known))}" if known else "nothing yet"

    def lines(self, width: int) -> Sequence[Content]:
        values = self._values()
        height = max(1, self.content_size.height)
        tone: Tone = "bad" if self.measure[0] == "errors/s" and any(values) else "accent"
        rows = figures.thin_curve(values, width, height, self._top())
        return [Content.styled(row, tones.STYLES[tone]) for row in rows]

    def _top(self) -> float | None:
        if self.measure[2] is figures.share:
            return 1.0
        values = [read(sample) for sample in self._shown() for _, read, _ in self.peers]
        return max((value for value in values if value is not None), default=0.0) or None
