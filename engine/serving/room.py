"""Room in the arena for a batch's adapters, while other batches hold slots of their own."""

from __future__ import annotations

import threading

from engine.errors import Unavailable
from engine.memory.tiers import AdapterTiers
from engine.serving.batch import Batch
from engine.serving.stages import load_stage

ARENA_FULL = "arena_full"


class Room:
    """Thread-safe; `make` is called by one thread at a time."""

    def __init__(self, tiers: AdapterTiers) -> None:
        self._tiers = tiers
        self._holding = self._releases = 0
        self._released = threading.Condition()

    def make(self, batch: Batch) -> list[str]:
        """Bring the batch's adapters into slots and hold them until `release`.

        What finds no room waits for earlier batches to let go. What has none beside the batch's
        own others comes back, not held: its works have to wait until this batch is through.
        """
        seen = self._releases
        load_stage(batch, self._tiers, batch.adapters)
        while (full := _without_room(batch)) and self._let_go(seen):
            seen = self._releases
            # Each is held once more by asking again.
            self._tiers.release(full)
            load_stage(batch, self._tiers, full)
        with self._released:
            self._holding += 1
        if not batch.slots:
            return []
        self._tiers.release(full)
        return full

    def release(self, batch: Batch) -> None:
        """The batch needs its slots no more."""
        self._tiers.release(batch.adapters)
        with self._released:
            self._holding -= 1
            self._releases += 1
            self._released.notify_all()

    def _let_go(self, seen: int) -> bool:
        """Wait until more than `seen` batches have let go of their slots; False if none will."""
        with self._released:
            while self._releases == seen:
                if self._holding == 0:
                    return False
                self._released.wait()
            return True


def _without_room(batch: Batch) -> list[str]:
    """Adapters that found every slot taken."""
    return [
        adapter
        for adapter, error in batch.errors.items()
        if isinstance(error, Unavailable) and error.code == ARENA_FULL
    ]
