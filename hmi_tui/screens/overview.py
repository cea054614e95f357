"""Overview: the engine at a glance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widget import Widget

from engine.client import assets_dir
from hmi_tui.screens.mode_screen import ModeScreen
from hmi_tui.snapshot import Snapshot
from hmi_tui.widgets.busy_panel import BusyPanel
from hmi_tui.widgets.domains_panel import DomainsPanel
from hmi_tui.widgets.jobs_panel import JobsPanel
from hmi_tui.widgets.memory_panel import MemoryPanel
from hmi_tui.widgets.panel import Panel
from hmi_tui.widgets.problems_panel import ProblemsPanel
from hmi_tui.widgets.rate_panel import RatePanel
from hmi_tui.widgets.tiers_panel import TiersPanel
from hmi_tui.widgets.traffic_panel import MEASURES, TrafficPanel

DRAWN = (0, 4, 5)
"""Of the measures: requests/s, p99, table hits."""


class OverviewScreen(ModeScreen):
    MODE = "overview"
    ABOUT = (
        "Memory, traffic, tiers, domains, jobs and problems of the engine, read twice a second. "
        "A curve shows the last two minutes, the newest at the right."
    )
    CSS_PATH = assets_dir() / "styles" / "overview.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "Down", show=False, id="down", tooltip="Scroll down"),
        Binding("up,k", "scroll(-1)", "Up", show=False, id="up", tooltip="Scroll up"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]  # noqa: RUF012

    def body(self) -> Iterable[Widget]:
        left = Vertical(MemoryPanel(), TiersPanel(), ProblemsPanel(), id="left")
        middle = Vertical(TrafficPanel(), JobsPanel(), id="middle")
        right = Vertical(DomainsPanel(), BusyPanel(), id="right")
        figures = Horizontal(left, Vertical(middle, right, id="rest"), id="figures")
        curves = Horizontal(*(RatePanel(MEASURES[number]) for number in DRAWN), id="curves")
        yield VerticalScroll(figures, curves, id="panels", can_focus=False)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#panels").scroll_relative(y=lines, animate=False, force=True)

    def see(self, snapshot: Snapshot) -> None:
        for panel in self.query(Panel):
            panel.tell(snapshot)
