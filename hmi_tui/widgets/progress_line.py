"""One line that says how far a job is."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from engine.schema import Job
from hmi_tui import figures
from hmi_tui.widgets.panel import bar_line


class ProgressLine(Widget):
    DEFAULT_CSS = "ProgressLine { height: 1; padding: 0 2; }"
    job: reactive[Job | None] = reactive(None)

    def render(self) -> RenderResult:
        job = self.job
        if job is None:
            return Content("")
        width = self.content_size.width
        left = f", {figures.seconds(job.eta_s)} left" if job.eta_s is not None else ""
        value = "queued" if job.state == "queued" else figures.share(job.progress) + left
        if job.message and width >= 100:
            value = f"{value} · {figures.shorten(job.message, 40)}"
        name = f"{job.type} {job.subject}"
        names = min(len(name), max(10, width - len(value) - 12))
        return bar_line(name, job.progress, value, width, names=names, values=len(value))
