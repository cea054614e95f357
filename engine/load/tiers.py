"""What the engine's tiers did while a run lasted: two statuses, one taken from the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.schema import Tier, TierStatus


@dataclass(frozen=True, slots=True)
class TierTurn:
    """`resident` and `bytes` as they are at the end; the others are of the run alone."""

    resident: int
    bytes: int
    budget_bytes: int | None
    hits: int
    misses: int
    evictions: int
    bytes_moved: int

    @property
    def hit_rate(self) -> float | None:
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def used_between(
    before: Mapping[Tier, TierStatus], after: Mapping[Tier, TierStatus]
) -> dict[str, TierTurn]:
    """By tier; the disk has everything, and so no hits to tell of."""
    return {
        name: TierTurn(
            resident=now.resident,
            bytes=now.bytes,
            budget_bytes=now.budget_bytes,
            hits=now.hits - before[name].hits,
            misses=now.misses - before[name].misses,
            evictions=now.evictions - before[name].evictions,
            bytes_moved=now.bytes_moved - before[name].bytes_moved,
        )
        for name, now in after.items()
        if name in before and name != "disk"
    }
