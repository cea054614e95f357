"""What the application knows at one moment: one immutable value, replaced whole at each tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.schema import Rates, Status

Link = Literal["connecting", "starting", "up", "busy", "silent", "foreign", "lost", "failed"]
"""connecting: nobody was asked yet; starting: the engine comes up; busy: it refuses to answer for
now; silent: it is there and does not answer; foreign: its answers cannot be read, it is of another
version; lost: nobody listens on the socket; failed: it could not be started."""

FULL = 0.95
"""Share of the queue's tokens from which the engine counts as overloaded."""

KEPT_RATES = 240
"""Two minutes at two a second."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The engine's last answer and how things stand with the engine now."""

    link: Link = "connecting"
    reason: str = ""
    remedy: str = ""
    status: Status | None = None
    read_at: float = 0.0
    """Of the feed's clock, when `status` was read."""
    rates: tuple[Rates, ...] = ()
    """Of the last ticks, oldest first."""
    detail: object = None
    """What the visible screen asked for besides the status."""
    refused: int = 0
    """Requests that the engine refused for want of room (429) in the last seconds."""

    @property
    def up(self) -> bool:
        return self.link == "up"

    @property
    def overloaded(self) -> bool:
        """The queue is full, or so long that requests are refused."""
        if self.link == "busy":
            return True
        queue = self.status.queue if self.up and self.status is not None else None
        return queue is not None and (self.refused > 0 or queue.tokens > FULL * queue.limit_tokens)

    @property
    def ready(self) -> bool:
        return self.up and self.status is not None and self.status.engine.ready
