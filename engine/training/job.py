"""What a job is: its work, what the work reads and writes, and how it ended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from engine.errors import Cancelled, HmiError
from store.errors import StoreError

log = logging.getLogger(__name__)

JobType = Literal["train", "rebuild"]
Series = list[tuple[int, float]]


@dataclass(slots=True, eq=False)
class JobContext:
    """What running work reads and writes. Fields are replaced, never mutated in place."""

    id: str
    params: dict[str, Any] = field(default_factory=dict)
    """What was asked for, and what the work noted down for when it goes on."""
    progress: float = 0.0
    message: str = "waiting"
    loss: Series = field(default_factory=list)
    accuracy: Series = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)
    """What is known of the result so far; kept also if the work is cancelled or fails."""
    changed: Callable[[], None] = lambda: None
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancelled(self) -> bool:
        return self._stop.is_set()

    def cancel(self) -> None:
        self._stop.set()

    def update(self, progress: float, message: str) -> None:
        """Say how far it is (0 to 1) and what it does."""
        self.progress, self.message = min(max(progress, self.progress), 1.0), message
        self.changed()

    def end(self, outcome: Outcome) -> None:
        """The last that it says, without a word to those who watch."""
        if outcome.state == "succeeded":
            self.progress = 1.0
        if outcome.message or outcome.state != "succeeded":
            self.message = outcome.message


Run = Callable[[JobContext], dict[str, Any]]
"""The work itself; returns its result."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; "queued", for one of a party, means that it goes on later."""

    state: Literal["succeeded", "failed", "cancelled", "queued"]
    message: str = ""
    result: dict[str, Any] = field(default_factory=dict)


class Together(Protocol):
    """Work of many jobs at once, which goes on after the engine's end where it was."""

    def kind(self, params: dict[str, Any]) -> Hashable:
        """Jobs of one kind may be taken together."""
        ...

    def run(
        self, party: Sequence[JobContext], end: Callable[[JobContext, Outcome], None], *, idle: bool
    ) -> None:
        """Work on all of them; call `end` for each, once. `idle` says that they are for idle time
        and make way for others."""
        ...


def attempted(job: str, work: Callable[[], dict[str, Any]]) -> Outcome:
    """How `work` ends, whatever it raises."""
    try:
        return Outcome("succeeded", result=work())
    except Cancelled as stopped:
        return Outcome("cancelled", str(stopped))
    except (HmiError, StoreError) as known:
        return Outcome("failed", str(known))
    except Exception as unknown:
        log.exception("job %s failed", job)
        return unforeseen(unknown)


def unforeseen(error: Exception) -> Outcome:
    """The end of a job that failed as nobody expected; what logs it is who caught it."""
    return Outcome("failed", f"{type(error).__name__}: {error}. The engine's log has the details.")
