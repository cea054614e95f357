"""The run that is under way, if one is: begun, steered and followed."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.client import Conflict, HmiError, Paths
from engine.schema import LoadRequest
from hmi_tui.load.process import Line, SimulatorProcess, simulator_command
from hmi_tui.load.run import LoadRun

MOST = 1e5
LEAST = 0.01
"""Requests a second."""


class Simulation:
    """At most one run at a time. `changed` is called after every news of it, in the loop."""

    def __init__(self, paths: Paths, changed: Callable[[LoadRun], None]) -> None:
        self.run: LoadRun | None = None
        self._paths = paths
        self._changed = changed
        self._process: SimulatorProcess | None = None
        self._rate = 0.0
        self.stopping = False
        """Whether the run was asked to stop and still waits for its last answers."""

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def rate(self) -> float:
        """What was asked for last, in requests a second."""
        return self._rate

    def start(self, request: LoadRequest, name: str = "") -> None:
        """Begin a run. Conflict if one is under way, HmiError if there is no starting it."""
        if self.running:
            raise Conflict("A run is under way.", remedy="Stop it first: s.")
        now = time.time()
        stamp = (
            time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + f".{int(now * 1000) % 1000:03}"
        )
        self.run = LoadRun(id=stamp, name=name, started_at=now, request=request)
        self._rate, self.stopping = request.rate, False
        command = simulator_command(self._paths, request)
        try:
            self._process = SimulatorProcess(command, self._told, self._ended)
        except OSError as error:
            raise HmiError(
                f"The simulator cannot be started: {error.strerror}.",
                remedy="hmi doctor checks the installation.",
            ) from error
        self._changed(self.run)

    def set_rate(self, rate: float) -> float:
        """Ask for another rate, within what the simulator takes; the rate that was asked for.
        Conflict if no run is under way any more."""
        if self._process is None:
            raise Conflict("The run has ended.", remedy="<start:n> starts another, at any rate.")
        self._rate = min(MOST, max(LEAST, rate))
        self._process.order(f"rate {self._rate:.6g}")
        return self._rate

    def stop(self) -> None:
        """Send nothing more; the report comes once what is in flight has been answered."""
        if self._process is not None and self.run is not None:
            self.stopping = True
            self._process.order("stop")
            self._changed(self.run)

    def close(self) -> None:
        """End the run with the application; it is not kept."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def _told(self, line: Line) -> None:
        if self.run is not None:
            self.run = self.run.with_line(line)
            if self._process is not None:
                self._changed(self.run)

    def _ended(self, code: int, said: str) -> None:
        if self.run is None or self._process is None:
            return
        self._process = None
        if self.run.report is None:
            how = f"with code {code}" if code >= 0 else f"by signal {-code}"
            words = said.removeprefix("hmi load: ") or f"The simulator ended {how}."
            self.run = self.run.model_copy(update={"failure": words})
        self._changed(self.run)
