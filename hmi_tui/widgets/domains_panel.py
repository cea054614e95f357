"""The domains' hit rates as bars, the busiest first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures, tones
from hmi_tui.hints import hint
from hmi_tui.widgets.panel import Panel, bar_line, muted

SHOWN = 8


class DomainsPanel(Panel):
    TITLE = "Table hits by domain"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        if all(domain.epoch == 0 for domain in status.domains):
            return [
                muted(hint(self, "No table yet: press <open-domains:3>, choose a")),
                muted("domain, upload text, rebuild."),
            ]
        busiest = sorted(status.domains, key=lambda d: -(d.hits + d.misses))
        shown = 2 if self.short else SHOWN
        lines = []
        for domain in busiest[:shown]:
            name = domain.name + (" ↻" if domain.state == "rebuilding" else "")
            rate = domain.hit_rate
            lines.append(
                bar_line(name, rate, figures.share(rate), width, names=14, values=5)
                if rate is not None
                else Content.assemble((f"{name:<15}", tones.MUTED), ("not asked yet", tones.MUTED))
            )
        if len(busiest) > shown:
            lines.append(
                muted(hint(self, f"and {len(busiest) - shown} more; press <open-domains:3>"))
            )
        return lines
