"""What the application tells beside its screens: errors with their remedy, jobs that ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textual.app import App

from engine.client import EngineNotRunning, HmiError
from engine.schema import Job

ENDED = {"succeeded": "is done", "failed": "failed", "cancelled": "was cancelled"}


class Telling(App[None]):
    """Says so in toasts, over whatever screen is shown."""

    def look_now(self) -> None:
        """Read the engine's state at once."""

    @contextmanager
    def complaining(self) -> Iterator[None]:
        """Tell the operator of an HmiError, with its remedy, and go on."""
        try:
            yield
        except HmiError as error:
            text = f"{error.detail}\n{error.remedy}".strip()
            self.notify(text, title=error.title, severity="error", timeout=12, markup=False)
            if isinstance(error, EngineNotRunning):
                self.look_now()

    def announce(self, job: Job) -> None:
        """Tell of a job that has ended."""
        what = "Training" if job.type == "train" else "Rebuild"
        text = f"{what} of {job.subject} {ENDED[job.state]}. {job.error or job.message}"
        self.notify(
            text.strip(),
            severity="error" if job.state == "failed" else "information",
            timeout=10,
            markup=False,
        )
