"""How busy the lanes in view were, what overlapped, and how long nothing was computed.

A bubble is a time in which nothing was computed though there was something to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures
from hmi_tui.timeline.summary import Summary, idle
from hmi_tui.widgets.panel import Panel, bar_line, muted


class SharesPanel(Panel):
    TITLE = "Shares of the time in view"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.summary: Summary | None = None

    def tell_summary(self, summary: Summary | None) -> None:
        self.summary = summary
        self.refresh()

    def lines(self, width: int) -> Sequence[Content]:
        found = self.summary
        if found is None:
            return [muted("No batch in view.")]
        bars = [
            bar_line(lane, part, figures.share(part), width) for lane, part in found.busy.items()
        ]
        whole = (
            ("overlap", found.overlap),
            ("idle", idle(found)),
            ("bubbles", found.bubble_s / found.span_s),
        )
        bars += [bar_line(name, part, figures.share(part), width) for name, part in whole]
        longest = figures.seconds(found.longest_bubble_s)
        said = f"{found.bubbles} bubbles, the longest {longest}" if found.bubbles else "no bubble"
        return [*bars, muted(figures.shorten(said, width)), muted(f"{found.batches} batches")]


def in_short(found: Summary | None) -> str:
    """The shares in one line."""
    if found is None:
        return "no batch in view"
    bubbles = figures.share(found.bubble_s / found.span_s)
    return (
        f"stages overlap {figures.share(found.overlap)} · compute idle {figures.share(idle(found))}"
        f", {bubbles} with work at hand"
    )
