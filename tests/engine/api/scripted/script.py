"""What every part goes by: what fails, and what was asked."""

from __future__ import annotations

import threading
from typing import Any

from engine.telemetry.events import EventLog
from engine.telemetry.metrics import Metrics


class Script:
    """Each part adds to `_script` what it goes by; forgetting runs that once more."""

    def __init__(self, *, started: bool = True) -> None:
        self.ready = False
        self.reasons = ["loading backbone"]
        self.may_start = threading.Event()
        self.closed = False
        self.events = EventLog()
        self._script()
        if started:
            self.may_start.set()

    def forget(self) -> None:
        """Back to the beginning, but for having started."""
        self.events.close()
        self.events = EventLog()
        self._script()

    def _script(self) -> None:
        self.metrics = Metrics()
        self.fails: dict[str, Exception] = {}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def _do(self, method: str, *arguments: Any) -> None:
        self.calls.append((method, arguments))
        if method in self.fails:
            raise self.fails[method]

    def start(self) -> None:
        self.may_start.wait()
        self._do("start")
        self.ready, self.reasons = True, []

    def refuse_waiting(self) -> None:
        self._do("refuse_waiting")

    def close(self) -> None:
        self.closed = True
