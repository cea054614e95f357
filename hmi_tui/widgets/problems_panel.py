"""What is wrong and what to do about it; or what to do first."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from engine.schema import Status
from hmi_tui import tones
from hmi_tui.hints import hint
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
            return [
                muted(line.plain)
                for line in Content(sign + hint(self, _advice(status))).wrap(width)
            ]
        lines: list[Content] = []
        for problem in status.problems:
            lines += [
                Content.styled(line.plain, tones.WARN)
                for line in Content("! " + problem.what).wrap(width)
            ]
            lines += [
                muted("  " + line.plain)
                for line in Content(hint(self, problem.remedy)).wrap(width - 2)
            ]
        return lines


def _advice(status: Status) -> str:
    if not status.tenants:
        return "Press <open-tenants:2>, then <new:n>: create a tenant, and then a vPLM for it."
    if not status.vplms:
        return "Press <open-tenants:2>, choose a tenant, tab, <new:n>: create its first vPLM."
    if not status.totals.get("requests"):
        return (
            "No problems. Press <open-playground:6> to ask a vPLM, or <open-trainer:5> to train "
            "one."
        )
    if all(domain.epoch == 0 for domain in status.domains) and status.domains:
        return "No problems. Press <open-domains:3> to build a table, which makes answers faster."
    return "No problems."
