"""What came of each request, in columns: a run of a day takes megabytes."""

from __future__ import annotations

import math
from array import array
from collections import Counter

from engine.client import LeanAnswer

STAGES = ("queue", "retrieve", "load", "compute")


class Ledger:
    """Outcomes by column; row i of each column is the i-th answered request. Seconds throughout."""

    def __init__(self) -> None:
        self.sent = 0
        self.sent_to = array("I")
        """The vPLM of every request that left."""
        self.errors: Counter[str] = Counter()
        self.failed_to = array("I")
        self.tiers: Counter[str] = Counter()
        self.model = array("I")
        self.latency = array("d")
        self.hit_rate = array("d")
        self.batch = array("I")
        self.tokens = array("I")
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

    def leave(self, model: int, lateness: float) -> None:
        self.sent += 1
        self.sent_to.append(model)
        self.lateness.append(lateness)

    def answer(self, model: int, due: float, now: float, answer: LeanAnswer) -> None:
        """`due` and `now` in seconds after the start; latency counts from `due`."""
        timing = answer.timing
        self.model.append(model)
        self.latency.append(now - due)
        self.hit_rate.append(math.nan if timing.hit_rate is None else timing.hit_rate)
        self.batch.append(timing.batch_size)
        self.tokens.append(answer.tokens)
        self.tiers[timing.tier] += 1
        for stage, column in self.stages.items():
            column.append(getattr(timing, f"{stage}_s"))
        self.last_at = max(self.last_at, now)

    def fail(self, model: int, code: str, now: float) -> None:
        self.errors[code] += 1
        self.failed_to.append(model)
        self.last_at = max(self.last_at, now)
