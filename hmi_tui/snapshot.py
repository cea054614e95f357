"""What the application knows at one moment: one immutable value, replaced whole at each tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.schema import Rates, Status

Link = Literal["connecting", "starting", "up", "silent", "lost", "failed"]
"""connecting: nobody was asked yet; starting: the engine comes up; silent: it is there and does not
answer; lost: nobody listens on the socket; failed: it could not be started."""

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

    @property
    def up(self) -> bool:
        return self.link == "up"

    @property
    def ready(self) -> bool:
        return self.up and self.status is not None and self.status.engine.ready
