"""Jobs under way, with their progress."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from hmi_tui import figures
from hmi_tui.hints import hint
from hmi_tui.widgets.panel import Panel, bar_line, muted


class JobsPanel(Panel):
    TITLE = "Jobs"

    def lines(self, width: int) -> Sequence[Content]:
        status = self.snapshot.status
        if status is None:
            return [muted("Nothing was read yet.")]
        if not status.jobs:
            return [muted(hint(self, "None under way; press <open-trainer:5> to train."))]
        lines = []
        for job in status.jobs[:4]:
            name = f"{job.type} {job.subject}"
            if job.state == "queued":
                value = "queued"
            else:
                left = f" {figures.seconds(job.eta_s)}" if job.eta_s is not None else ""
                value = figures.share(job.progress) + left
            names = min(len(name), max(16, width - 28))
            lines.append(bar_line(name, job.progress, value, width, names=names, values=12))
        if len(status.jobs) > 4:
            lines.append(
                muted(hint(self, f"and {len(status.jobs) - 4} more; press <open-trainer:5>"))
            )
        return lines
