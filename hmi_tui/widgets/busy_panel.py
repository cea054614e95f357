"""The busiest tenants: what they ask, how long they wait for it, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures, tones
from hmi_tui.hints import hint
from hmi_tui.widgets.panel import Panel, muted

SHOWN = 2
"""On a short screen."""


class BusyPanel(Panel):
    TITLE = "Busiest tenants"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        if not status.busiest:
            return [
                muted(hint(self, "Nobody asks just now; press <open-playground:6> to ask a vPLM."))
            ]
        names = max(8, width - 27)
        waiting = {each.tenant: each.texts for each in status.queue.busiest or ()}
        lines = [muted(f"{'tenant':<{names}}{'req/s':>9}{'p99':>9}{'waiting':>9}")]
        for each in status.busiest[: SHOWN if self.short else None]:
            figures_of = (
                f"{figures.rate(each.requests_per_s):>9}{figures.seconds(each.p99_s):>9}"
                f"{figures.count(waiting.get(each.tenant, 0)):>9}"
            )
            name = figures.shorten(each.tenant, names - 1).ljust(names)
            lines.append(Content.assemble((name, tones.ACCENT), figures_of))
        return lines
