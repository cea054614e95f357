"""What came of each request, in columns: a run of a day takes megabytes."""

from __future__ import annotations

import math
from array import array
from collections import Counter

from engine.schema import Timing

STAGES = ("queue", "retrieve", "load", "compute")


class Ledger:
    """Outcomes by column; row i of each column is the i-th answered request. Seconds throughout."""

    def __init__(self) -> None:
        self.sent = 0
        self.errors: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()
        self.model = array("I")
        self.latency = array("d")
        self.hit_rate = array("d")
        self.batch = array("I")
        self.stages = {stage: array("d") for stage in STAGES}
        self.lateness = array("d")
        """How long after its instant each request left, sent or failed alike."""
        self.last_at = 0.0
        """Seconds after the start at which the last answer came."""

    @property
    def answered(self) -> int:
        return len(self.latency)

    @property
    def failed(self) -> int:
        return self.errors.total()

    @property
    def in_flight(self) -> int:
        return self.sent - self.answered - self.failed

    def leave(self, lateness: float) -> None:
        self.sent += 1
        self.lateness.append(lateness)

    def answer(self, model: int, due: float, now: float, timing: Timing) -> None:
        """`due` and `now` in seconds after the start; latency counts from `due`."""
        self.model.append(model)
        self.latency.append(now - due)
        self.hit_rate.append(math.nan if timing.hit_rate is None else timing.hit_rate)
        self.batch.append(timing.batch_size)
        self.tiers[timing.tier] += 1
        for stage, column in self.stages.items():
            column.append(getattr(timing, f"{stage}_s"))
        self.last_at = max(self.last_at, now)

    def fail(self, code: str, now: float) -> None:
        self.errors[code] += 1
        self.last_at = max(self.last_at, now)
