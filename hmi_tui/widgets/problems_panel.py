"""What is wrong and what to do about it; or what to do first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.schema import Status
from hmi_tui import tones
from hmi_tui.widgets.panel import Panel, muted


class ProblemsPanel(Panel):
    TITLE = "Problems"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        self.border_title = "Problems" if status.problems else "What next"
        if not status.problems:
            sign = "✓ " if status.vplms else "→ "
            return [muted(line.plain) for line in Content(sign + _advice(status)).wrap(width)]
        lines: list[Content] = []
        for problem in status.problems:
            lines += [
                Content.styled(line.plain, tones.WARN)
                for line in Content("! " + problem.what).wrap(width)
            ]
            lines += [muted("  " + line.plain) for line in Content(problem.remedy).wrap(width - 2)]
        return lines


def _advice(status: Status) -> str:
    if not status.tenants:
        return "Press 2, then n: create a tenant, and then a vPLM for it."
    if not status.vplms:
        return "Press 2, choose a tenant, tab, n: create its first vPLM."
    if not status.totals.get("requests"):
        return "No problems. Press 6 to ask a vPLM, or 5 to train one."
    if all(domain.epoch == 0 for domain in status.domains) and status.domains:
        return "No problems. Press 3 to build a table, which makes answers faster."
    return "No problems."
