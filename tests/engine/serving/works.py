"""Texts of requests as the queue and the batches see them."""

from __future__ import annotations

import time

from engine.knowledge.retrieve import MissPolicy
from engine.serving.work import Mode, Outcome, ServedModel, Ticket, Work

OUTCOME = Outcome((0.5, 0.5), 3, None, 0.0, 0.0, 0.0, 0.0, 1, 1)


class Clock:
    """Stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def work(
    tokens: int,
    adapter: str = "a",
    domain: str = "general",
    mode: Mode = "plot",
    ticket: Ticket | None = None,
    index: int = 0,
    miss: MissPolicy | None = None,
    tenant: str = "acme",
    accepted: float | None = None,
) -> Work:
    model = ServedModel(f"{tenant}/{adapter}", tenant, domain, adapter, ("no", "yes"), mode, miss)
    at = time.perf_counter() if accepted is None else accepted
    return Work(model, mode, list(range(tokens)), ticket or Ticket(1, "disk"), index, at)
