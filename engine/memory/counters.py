"""What a tier holds and has done, as values."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

TierName = Literal["disk", "host", "device"]

Standing = Literal["device", "ready", "loading"]
"""Of a wanted adapter: on the device, not waited for any more, or waited for."""


@dataclass(frozen=True, slots=True)
class TierCounters:
    """Since start, but for `waiting`. `bytes_moved` and `seconds` are of loads into this tier.

    A load ahead of need is a miss of the tier; the first use of what it brought is no hit.
    """

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    bytes_moved: int = 0
    seconds: float = 0.0
    prefetched: int = 0
    """Loads begun before a batch needed them."""
    prefetched_used: int = 0
    """Of these, how many a batch then found done or under way."""
    cancelled: int = 0
    """Loads that nobody wanted any more before they began or while they ran."""
    waiting: int = 0
    """Loads queued now."""

    def plus(self, seconds: float = 0.0, **counts: int) -> TierCounters:
        """These, and as many more of each."""
        more = {name: getattr(self, name) + count for name, count in counts.items()}
        return replace(self, seconds=self.seconds + seconds, **more)

    def and_(self, other: TierCounters) -> TierCounters:
        """What this tier and another have done together."""
        counts = {each.name: getattr(other, each.name) for each in fields(other)}
        return self.plus(**counts)


@dataclass(frozen=True, slots=True)
class Move:
    """One adapter's way up into `tier`; `start` is perf_counter's."""

    tier: TierName
    adapter: str
    start: float
    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class SlotUse:
    """What is in one slot of the arena. `held` is by a batch under way."""

    adapter: str
    heat: float
    pinned: bool
    held: bool


@dataclass(frozen=True, slots=True)
class TierUse:
    """`held` adapters must stay for now: batches use them (device), or requests wait for them
    (host)."""

    resident: int
    bytes: int
    budget: int
    held: int
    counters: TierCounters
