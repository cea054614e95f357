"""Load: the simulator's controls, its live curves, and the runs that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.widget import Widget

from engine.client import HmiError, assets_dir
from engine.schema import LoadRequest
from hmi_tui.load.kept import forget, kept_runs
from hmi_tui.load.run import LoadRun
from hmi_tui.load.simulation import Simulation
from hmi_tui.paging import Page, Query
from hmi_tui.read_only import changes
from hmi_tui.screens.confirm import Confirm
from hmi_tui.screens.facts import Facts
from hmi_tui.screens.load_comparison import LoadComparison
from hmi_tui.screens.load_facts import run_facts, short_facts
from hmi_tui.screens.load_form import load_form, rate_form
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.columns import arranged
from hmi_tui.widgets.fact_list import FactList
from hmi_tui.widgets.listing import Listing
from hmi_tui.widgets.load_curve import LOAD_MEASURES, LoadCurve
from hmi_tui.widgets.load_runs import RUNS
from hmi_tui.widgets.paged_view import PagedView

STEP = 1.25
"""By how much + and - change the rate."""

WHILE_RUNNING = ("stop", "rate", "faster")
IDLE = (("", "<start:n> starts a run: requests at a rate, on the vPLMs that there are."),)


class LoadScreen(ModeScreen):
    MODE = "load"
    ABOUT = (
        "Open-loop load on the vPLMs, from a process of its own: a request leaves when it is due, "
        "whatever the answers take, and its latency counts from then. The rate may be changed "
        "meanwhile. A run goes on in the other modes, ends with the application, and is kept "
        "when it has ended; mark two with <mark:space> to compare them."
    )
    CSS_PATH = assets_dir() / "styles" / "load.tcss"
    AUTO_FOCUS = "#runs-table"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "start", "Start", tooltip="Start a run"),
        Binding("s", "stop", "Stop", tooltip="Stop the run; its report comes with the last answer"),
        Binding("r", "rate", "Rate", tooltip="Change the rate while it runs"),
        Binding("v", "compare", "Compare", tooltip="Compare two runs: those marked with space"),
        Binding(
            "plus,equals_sign",
            "faster(1)",
            key_display="+",
            show=False,
            id="faster",
            tooltip="Raise the rate by a quarter",
        ),
        Binding(
            "minus",
            "faster(-1)",
            key_display="-",
            show=False,
            id="slower",
            tooltip="Lower the rate by a fifth",
        ),
        Binding("d", "describe", "Describe", show=False, tooltip="All that is kept of the run"),
        Binding("x", "delete_run", "Delete", show=False, tooltip="Delete the kept run"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.facts = FactList(id="run-facts")
        self.curves = [LoadCurve(measure) for measure in LOAD_MEASURES]
        self.runs: Listing[LoadRun] = Listing(
            "Kept runs",
            RUNS,
            lambda run: run.id,
            id="runs",
            empty="No runs yet.\nPress <start:n> to start one; it is kept when it ends.",
        )
        self.request = LoadRequest()
        self.shown: LoadRun | None = None
        self._kept: list[LoadRun] = []

    @property
    def simulation(self) -> Simulation:
        return self.hmi.simulation

    def body(self) -> Iterable[Widget]:
        yield Horizontal(
            Vertical(self.facts, self.runs, id="load-left"),
            Container(*self.curves, id="load-curves"),
            id="load-area",
        )

    def on_mount(self) -> None:
        self.shown = self.simulation.run
        self.hmi.load_changed.subscribe(self, self._news)
        self.hmi.load_kept.subscribe(self, lambda run: self.runs.table.point_at(run.id))
        self.runs.table.show_source(self._read, at_hand=True)
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        running = self.simulation.running
        if (action in WHILE_RUNNING and not running) or (action == "start" and running):
            return False
        return super().check_action(action, parameters)

    # -- the run under way -----------------------------------------------------------------

    def _news(self, run: LoadRun) -> None:
        self.shown = run
        self.refresh_bindings()
        self._draw()

    def see(self, snapshot: Snapshot) -> None:
        del snapshot  # the simulator tells of itself
        self._draw()

    def _draw(self) -> None:
        if not self.is_current:
            return
        run, simulation = self.shown, self.simulation
        self.facts.border_title = "Run" if run is None else f"Run {run.title}".replace("[", r"\[")
        if run is None:
            self.facts.tell(IDLE)
        elif simulation.running:
            self.facts.tell(short_facts(run, simulation.rate, stopping=simulation.stopping))
        else:
            self.facts.tell(short_facts(run))
        for curve in self.curves:
            curve.tell_samples(run.samples if run is not None else ())

    @changes
    @work
    async def action_start(self) -> None:
        def begin(request: LoadRequest, name: str) -> None:
            self.simulation.start(request, name)
            self.request = request

        await self.app.push_screen_wait(load_form(self.request, begin))

    def action_stop(self) -> None:
        self.simulation.stop()

    @changes
    @work
    async def action_rate(self) -> None:
        await self.app.push_screen_wait(rate_form(self.simulation.rate, self._change_rate))

    @changes
    def action_faster(self, way: int) -> None:
        self._change_rate(float(f"{self.simulation.rate * STEP**way:.3g}"))

    def _change_rate(self, rate: float) -> float:
        taken = self.simulation.set_rate(rate)
        self._draw()
        return taken

    # -- the kept runs ---------------------------------------------------------------------

    async def _read(self, query: Query) -> Page[LoadRun]:
        self._kept = await asyncio.to_thread(kept_runs, self.hmi.load_folder)
        rows = [run for run in self._kept if query.q in f"{run.title} {run.request.popularity}"]
        return Page(arranged(rows, RUNS, query.sort), len(rows), None)

    @on(PagedView.Moved)
    def _moved(self, event: PagedView.Moved) -> None:
        row: Any = event.row
        if not self.simulation.running and row is not None:
            self.shown = row
            self._draw()

    @on(PagedView.Chosen)
    def action_describe(self) -> None:
        run = self.runs.table.current
        if run is not None:
            self.app.push_screen(Facts(run.title, run_facts(run), run.id))

    def action_compare(self) -> None:
        """The two that are marked, or the marked one and the one under the cursor."""
        chosen = set(self.runs.table.marked)
        if len(chosen) == 1 and self.runs.table.current is not None:
            chosen.add(self.runs.table.current.id)
        pair = sorted((run for run in self._kept if run.id in chosen), key=lambda run: run.id)
        if len(pair) == 2:
            self.app.push_screen(LoadComparison(*pair))
        else:
            self.notify("Mark two kept runs with <mark:space>, then press <compare:v>.")

    @changes
    @work
    async def action_delete_run(self) -> None:
        ids = self.runs.table.chosen_keys
        titles = [run.title for run in self._kept if run.id in ids]
        if not titles:
            return
        what = f"the run {titles[0]}" if len(titles) == 1 else f"{len(titles)} runs"
        if await self.app.push_screen_wait(Confirm(f"Delete {what}?", "Its figures are lost.")):
            try:
                for run_id in ids:
                    await asyncio.to_thread(forget, self.hmi.load_folder, run_id)
            except OSError as error:
                self.notify(str(HmiError(str(error))), severity="error", markup=False)
            self.shown = self.simulation.run if self.simulation.running else None
            self.runs.table.unmark()
            self.runs.table.reread()
            self._draw()
