"""One run of the simulator: what was asked for and what came of it, as far as it has come."""

from __future__ import annotations

import time
from typing import Literal

from engine.schema import Answer, LoadBegun, LoadProgress, LoadReport, LoadRequest

KEPT_SAMPLES = 300
"""Five minutes at one a second."""

State = Literal["starting", "running", "ended", "stopped", "failed"]


class LoadRun(Answer):
    """An immutable value; a newer one takes its place at each line of the simulator."""

    id: str
    """When it began, to the millisecond; sorts by time."""
    name: str
    """What the operator calls it; may be empty."""
    started_at: float
    """Unix time."""
    request: LoadRequest
    begun: LoadBegun | None = None
    samples: tuple[LoadProgress, ...] = ()
    report: LoadReport | None = None
    failure: str = ""

    @property
    def state(self) -> State:
        if self.failure:
            return "failed"
        if self.report is not None:
            return "stopped" if self.report.ended_early else "ended"
        return "running" if self.begun is not None else "starting"

    @property
    def title(self) -> str:
        return self.name or time.strftime("%m-%d %H:%M:%S", time.localtime(self.started_at))

    @property
    def last(self) -> LoadProgress | None:
        return self.samples[-1] if self.samples else None

    def with_line(self, line: LoadBegun | LoadProgress | LoadReport) -> LoadRun:
        """This run with one more line of the simulator."""
        match line:
            case LoadBegun():
                return self.model_copy(update={"begun": line})
            case LoadProgress():
                samples = (*self.samples, line)[-KEPT_SAMPLES:]
                return self.model_copy(update={"samples": samples})
            case LoadReport():
                return self.model_copy(update={"report": line})
