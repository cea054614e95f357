"""The application's load on the engine: one run at a time, over all modes, kept when it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from textual import work
from textual.signal import Signal

from engine.client import Paths
from hmi_tui.load.kept import keep, kept_folder
from hmi_tui.load.run import LoadRun
from hmi_tui.load.simulation import Simulation
from hmi_tui.telling import Telling


class Simulating(Telling):
    """Whoever shows the load subscribes to `load_changed`, which tells all news of the run that is
    under way, and to `load_kept`, which tells when one was written to `load_folder`."""

    def __init__(self, paths: Paths, **more: Any) -> None:
        super().__init__(**more)
        self.paths = paths
        self.simulation = Simulation(paths, self._load_news)
        self.load_changed: Signal[LoadRun] = Signal(self, "load changed")
        self.load_kept: Signal[LoadRun] = Signal(self, "load kept")

    @property
    def load_folder(self) -> Path:
        return kept_folder(self.paths)

    def _load_news(self, run: LoadRun) -> None:
        """The simulator said something, or ended."""
        if run.report is not None and not self.simulation.running:
            self._keep(run)
        elif run.failure:
            self.notify(run.failure, title="The run failed", severity="error", markup=False)
        self.load_changed.publish(run)

    @work
    async def _keep(self, run: LoadRun) -> None:
        with self.complaining():
            await asyncio.to_thread(keep, self.load_folder, run)
        self.load_kept.publish(run)
