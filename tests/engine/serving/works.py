"""Texts of requests as the queue and the batches see them."""

from __future__ import annotations

from engine.knowledge.retrieve import MissPolicy
from engine.serving.work import Mode, Outcome, ServedModel, Ticket, Work

OUTCOME = Outcome((0.5, 0.5), 3, None, 0.0, 0.0, 0.0, 0.0, 1, 1)


def work(
    tokens: int,
    adapter: str = "a",
    domain: str = "general",
    mode: Mode = "plot",
    ticket: Ticket | None = None,
    index: int = 0,
    miss: MissPolicy | None = None,
) -> Work:
    model = ServedModel(f"acme/{adapter}", "acme", domain, adapter, ("no", "yes"), mode, miss)
    return Work(model, mode, list(range(tokens)), ticket or Ticket(1, "disk"), index)
