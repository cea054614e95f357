"""Which stretch of time is shown, and whether it moves with the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPANS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0)
"""Seconds, by zoom."""
SCROLLED = 0.25
"""Of the span, at one key."""


@dataclass(frozen=True, slots=True)
class View:
    """From `end - span` to `end`; `live` follows the newest."""

    end: float = 0.0
    span: float = 10.0
    live: bool = True

    @property
    def begin(self) -> float:
        return self.end - self.span

    def following(self, now: float) -> View:
        """At a later moment; unmoved if it is held."""
        return replace(self, end=now) if self.live else self

    def zoomed(self, steps: int, about: float) -> View:
        """Closer by `steps`, or further off if negative; the instant `about` stays in its place."""
        at = SPANS.index(self.span) - steps
        span = SPANS[max(0, min(at, len(SPANS) - 1))]
        if self.live:
            return replace(self, span=span)
        later = (self.end - about) / self.span * span
        return replace(self, span=span, end=about + later)

    def scrolled(self, steps: int, first: float, last: float) -> View:
        """Held, and earlier (negative) or later, but not off what lies from `first` to `last`."""
        end = self.end + steps * SCROLLED * self.span
        return View(min(max(end, first + self.span * SCROLLED), last), self.span, live=False)

    def showing(self, start: float, end: float) -> View:
        """Held where that stretch is in view, moved no more than it takes."""
        if start < self.begin:
            return View(start + self.span * (1 - SCROLLED / 2), self.span, live=False)
        if end > self.end:
            return View(end + self.span * SCROLLED / 2, self.span, live=False)
        return replace(self, live=False)
