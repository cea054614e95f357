"""Trainer: jobs, and the curves of the chosen one as it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from engine.client import AsyncClient, NotFound, assets_dir
from engine.schema import Job
from hmi_tui import figures
from hmi_tui.paging import Page, Query
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.tenant_facts import instant
from hmi_tui.screens.train_form import train_form
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.curve_plot import CurvePlot
from hmi_tui.widgets.fact_list import Fact, FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.progress_line import ProgressLine
from hmi_tui.widgets.tables import JOBS, STATE_SIGNS

JOBS_SHOWN = 100
REREAD_TICKS = 4


class TrainerScreen(ModeScreen):
    MODE = "trainer"
    ABOUT = (
        "Training and rebuild jobs, newest first. Training changes a vPLM's adapter and head only; "
        "it goes on answering meanwhile, and the new version takes over when it is done."
    )
    CSS_PATH = assets_dir() / "styles" / "trainer.tcss"
    AUTO_FOCUS = "#jobs-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "start", "New", tooltip="Start training a vPLM"),
        Binding("x", "cancel_job", "Cancel", tooltip="Cancel the job"),
        Binding("d", "describe", "Describe", tooltip="Its parameters and how it ended"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.jobs: Listing[Job] = Listing(
            "Jobs",
            JOBS,
            lambda j: j.id,
            id="jobs",
            empty="No jobs yet.\nPress n to train a vPLM on a file of labelled texts.",
        )
        self.facts = FactList(id="job-facts")
        self.loss = CurvePlot("Loss", id="loss")
        self.accuracy = CurvePlot("Held-out accuracy, %", shares=True, id="accuracy")
        self.job: Job | None = None
        self._wanted = ""
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        curves = Container(self.loss, self.accuracy, id="curves")
        yield Horizontal(self.jobs, Vertical(self.facts, ProgressLine(), curves, id="job"))

    async def look(self, client: AsyncClient) -> object:
        """The chosen job, with its curves, while it has not ended."""
        if self.job is None or self.job.ended:
            return None
        try:
            return await client.job(self.job.id)
        except NotFound:
            return None

    def see(self, snapshot: Snapshot) -> None:
        if isinstance(snapshot.detail, Job) and self.job and snapshot.detail.id == self.job.id:
            ended = snapshot.detail.ended
            self._show(snapshot.detail)
            if ended:
                self.jobs.table.reread()
        if not snapshot.ready:
            return
        if not self._ticks:
            self.jobs.table.show_source(self._read)
            if self._wanted:
                self.jobs.table.point_at(self._wanted)
        elif self._ticks % REREAD_TICKS == 0:
            self.jobs.table.reread()
        self._ticks += 1

    async def _read(self, query: Query) -> Page[Job]:
        """The newest jobs; the engine does not filter them by name, so that is done here."""
        page = await self.client.jobs(limit=JOBS_SHOWN)
        words = (f"{job.subject} {job.type} {job.state} {job.id}" for job in page.data)
        rows = [job for job, text in zip(page.data, words, strict=True) if query.q in text]
        return Page(rows, len(rows), None)

    @on(PagedView.Moved)
    def _moved(self, event: PagedView.Moved) -> None:
        row: Any = event.row
        if row is None:
            self._show(None)
        elif self.job is None or row.id != self.job.id or not self.job.ended:
            self._show(row)

    def action_point_at(self, job: str) -> None:
        """Put the cursor on this job once it is read."""
        self._wanted = job
        self.jobs.table.point_at(job)

    def _show(self, job: Job | None) -> None:
        self.job = job
        self.facts.border_title = "Job" if job is None else f"{job.type} {job.subject}"
        self.facts.tell(short_facts(job) if job else (("", "Choose a job, or press n."),))
        line = self.query_one(ProgressLine)
        line.display = job is not None and not job.ended
        line.job = job
        self.query_one("#curves").display = job is None or job.type == "train" or bool(job.loss)
        self.loss.tell(job.loss if job else ())
        self.accuracy.tell(job.accuracy if job else ())

    @on(PagedView.Chosen)
    def action_describe(self) -> None:
        job = self.job
        if job is not None:
            self.app.push_screen(Facts(f"{job.type} {job.subject}", job_facts(job), job.id))

    @work
    async def action_start(self, vplm: str = "") -> None:
        ids: list[str] = []
        trained = self.job.subject if self.job and self.job.type == "train" else ""
        if await self.app.push_screen_wait(train_form(self.client, vplm or trained, ids.append)):
            self.jobs.table.point_at(ids[0])
            self.hmi.look_now()

    @work
    async def action_cancel_job(self) -> None:
        job = self.job
        if job is None:
            return
        if job.ended:
            self.notify("This job has ended already.")
            return
        goes = "What it has learnt so far is dropped." if job.type == "train" else ""
        if await self.app.push_screen_wait(
            Confirm(f"Cancel the {job.type} job of {job.subject}?", goes, "Cancel it")
        ):
            with self.hmi.complaining():
                await self.client.cancel_job(job.id)
            self.hmi.look_now()
            self.jobs.table.reread()


def short_facts(job: Job) -> list[Fact]:
    """State, message and how it was started, for beside the curves."""
    sign, tone = STATE_SIGNS[job.state]
    said = job.error or job.message
    facts: list[Fact] = [("state", f"{sign} {job.state}" + (f": {said}" if said else ""), tone)]
    if job.accuracy:
        best = max(point.value for point in job.accuracy)
        last = job.accuracy[-1].value
        facts.append(("accuracy", f"{figures.share(last, 1)}, at best {figures.share(best, 1)}"))
    shown = ", ".join(f"{name} {value}" for name, value in job.params.items() if name != "dataset")
    if shown:
        facts.append(("with", shown))
    return facts


def job_facts(job: Job) -> list[Fact]:
    """All there is to say of a job."""
    took = None
    if job.started_at is not None and job.finished_at is not None:
        took = job.finished_at - job.started_at
    sign, tone = STATE_SIGNS[job.state]
    facts: list[Fact] = [
        ("id", job.id),
        ("state", f"{sign} {job.state}", tone),
        ("message", job.message),
        ("created", instant(job.created_at)),
        ("started", instant(job.started_at)),
        ("took", figures.seconds(took)),
    ]
    if job.error:
        facts.append(("error", job.error, "bad"))
    facts += [(f"{name}", str(value)) for name, value in job.params.items()]
    facts += [(f"→ {name}", str(value)) for name, value in job.result.items()]
    return facts
