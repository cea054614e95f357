"""Trainer: jobs, and the curves of the chosen one as it runs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from engine.client import AsyncClient, Call, NotFound, assets_dir, calls
from engine.schema import Job, RebuildRequest, TrainRequest
from hmi_tui.paging import Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.confusion import ConfusionWindow
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.job_facts import called, job_facts, short_facts
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.screens.train_form import train_form
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.curve_plot import CurvePlot
from hmi_tui.widgets.fact_list import FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.paged_view import PagedView
from hmi_tui.widgets.progress_line import ProgressLine
from hmi_tui.widgets.tables import JOBS

JOBS_SHOWN = 100
REREAD_TICKS = 4
MOST_CURVES = 4
"""Jobs whose curves are shown side by side."""

R = TypeVar("R", RebuildRequest, TrainRequest)


class TrainerScreen(ModeScreen):
    MODE = "trainer"
    ABOUT = (
        "Training and rebuild jobs, newest first. Training changes a vPLM's adapter and head only; "
        "it goes on answering meanwhile, and the new version takes over when it is done. Mark "
        "jobs with <mark:space> to see their curves side by side."
    )
    CSS_PATH = assets_dir() / "styles" / "trainer.tcss"
    AUTO_FOCUS = "#jobs-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "start", "New", tooltip="Start training a vPLM"),
        Binding("x", "cancel_job", "Cancel", tooltip="Cancel the job"),
        Binding("d", "describe", "Describe", tooltip="Its parameters and how it ended"),
        Binding("a", "again", "Again", show=False, tooltip="Start it again, or resume a rebuild"),
        Binding("m", "matrix", "Matrix", show=False, tooltip="What it takes for what, held out"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.jobs: Listing[Job] = Listing(
            "Jobs",
            JOBS,
            lambda j: j.id,
            id="jobs",
            empty="No jobs yet.\nPress <start:n> to train a vPLM on a file of labelled texts; "
            "if there is none yet, press <open-tenants:2> and create it.",
        )
        self.facts = FactList(id="job-facts")
        self.loss = CurvePlot("Loss", id="loss")
        self.accuracy = CurvePlot("Held-out accuracy, %", shares=True, id="accuracy")
        self.job: Job | None = None
        self.compared: dict[str, Job] = {}
        """The marked jobs, by id, in the order of their marking."""
        self._wanted = ""
        self._ticks = 0

    def body(self) -> Iterable[Widget]:
        curves = Container(self.loss, self.accuracy, id="curves")
        yield Horizontal(self.jobs, Vertical(self.facts, ProgressLine(), curves, id="job"))

    async def look(self, client: AsyncClient) -> object:
        """The chosen job and the marked ones, with their curves, while they have not ended."""
        wanted = {} if self.job is None else {self.job.id: self.job}
        found: list[Job] = []
        for one in (wanted | self.compared).values():
            if not one.ended:
                with suppress(NotFound):
                    found.append(await client.job(one.id))
        return found

    def see(self, snapshot: Snapshot) -> None:
        fresh = snapshot.detail if isinstance(snapshot.detail, list) else []
        marked = {job.id: job for job in fresh if job.id in self.compared}
        if marked:
            self.compared |= marked
            self._draw()
        for job in fresh:
            if self.job and job.id == self.job.id:
                self._show(job)
        if any(job.ended for job in fresh):
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
        """The newest jobs; the engine neither filters nor sorts them, so that is done here."""
        page = await self.client.jobs(limit=JOBS_SHOWN)
        words = (f"{job.subject} {job.type} {job.state} {job.id}" for job in page.data)
        rows = [job for job, text in zip(page.data, words, strict=True) if query.q in text]
        return Page(arranged(rows, JOBS, query.sort), len(rows), None)

    def call(self) -> Call[Any]:
        return calls.job(self.job.id) if self.job else calls.jobs(JOBS_SHOWN)

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
        self.facts.tell(short_facts(job) if job else (("", "Choose a job, or press <start:n>."),))
        line = self.query_one(ProgressLine)
        line.display = job is not None and not job.ended
        line.job = job
        self._draw()

    @on(PagedView.Changed)
    def _marked(self) -> None:
        marks = self.jobs.table.marked
        if marks != self.compared.keys():
            self.compared = {name: job for name, job in self.compared.items() if name in marks}
            self._fetch_marked([name for name in sorted(marks) if name not in self.compared])

    @work(group="marks")
    async def _fetch_marked(self, names: list[str]) -> None:
        for name in names[: MOST_CURVES - len(self.compared)]:
            with suppress(NotFound):
                self.compared[name] = await self.client.job(name)
        if len(names) + len(self.compared) > MOST_CURVES:
            self.notify(f"Curves of {MOST_CURVES} jobs are shown side by side.")
        self._draw()

    def _draw(self) -> None:
        """The curves of the marked jobs, or of the chosen one."""
        job = self.job
        shown = list(self.compared.values()) or ([] if job is None else [job])
        self.query_one("#curves").display = job is None or any(
            one.type == "train" or one.loss for one in shown
        )
        self.loss.tell_all([(called(one), one.loss) for one in shown])
        self.accuracy.tell_all([(called(one), one.accuracy) for one in shown])

    @on(PagedView.Chosen)
    def action_describe(self) -> None:
        job = self.job
        if job is not None:
            self.app.push_screen(Facts(f"{job.type} {job.subject}", job_facts(job), job.id))

    @changes
    @work
    async def action_start(self, vplm: str = "") -> None:
        ids: list[str] = []
        trained = self.job.subject if self.job and self.job.type == "train" else ""
        if await self.app.push_screen_wait(train_form(self.client, vplm or trained, ids.append)):
            self.jobs.table.point_at(ids[0])
            self.hmi.look_now()

    def action_matrix(self) -> None:
        job = self.job
        confusion = None if job is None else job.confusion
        if job is None or confusion is None:
            self.notify("Choose a training that has been evaluated; the matrix comes with that.")
        else:
            self.app.push_screen(
                ConfusionWindow(f"Held-out rows of {job.subject}", confusion, job.classes)
            )

    @changes
    @work
    async def action_again(self) -> None:
        job = self.job
        if job is None or not job.ended:
            self.notify("Choose a job that has ended.")
            return
        resumes = job.type == "rebuild" and bool(job.params.get("train_minutes"))
        goes = (
            "The encoder's training goes on where it stopped, if its text is the same."
            if resumes and job.state != "succeeded"
            else "It starts from the beginning, with the same parameters."
        )
        if await self.app.push_screen_wait(
            Confirm(f"Start the {job.type} job of {job.subject} again?", goes, "Start it")
        ):
            with self.hmi.complaining():
                accepted = await start_again(self.client, job)
                self.jobs.table.point_at(accepted)
                self.hmi.look_now()

    @changes
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


async def start_again(client: AsyncClient, job: Job) -> str:
    """Ask for what `job` was asked for; the id of the new job."""
    if job.type == "rebuild":
        accepted = await client.rebuild_domain(job.subject, again(RebuildRequest, job))
    else:
        accepted = await client.train(again(TrainRequest, job))
    return accepted.id


def again(kind: type[R], job: Job) -> R:
    """The request that `job` came from."""
    known = {name: value for name, value in job.params.items() if name in kind.model_fields}
    return kind.model_validate(known)
