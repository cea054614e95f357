"""Handing out what a batch found: each text its probabilities, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import HmiError
from engine.knowledge.retrieve import Lookups
from engine.serving.batch import Batch
from engine.serving.work import Outcome, Work


def answer(batch: Batch, probs: Sequence[list[float]]) -> None:
    """Deliver answers and errors."""
    works = batch.works
    models = len(batch.adapters)
    for work, found, lookups in zip(works, probs, _lookups(batch), strict=True):
        error = batch.errors.get(work.model.adapter)
        if error is not None:
            work.ticket.fail(error)
            continue
        work.ticket.deliver(
            work.index,
            Outcome(
                probs=tuple(found),
                tokens=len(work.ids),
                lookups=lookups,
                queue_s=batch.taken - work.accepted,
                retrieve_s=batch.seconds["retrieve"],
                load_s=batch.seconds["load"],
                compute_s=batch.seconds["compute"],
                batch_size=len(works),
                batch_models=models,
                fallback=work.fallback,
            ),
        )


def refuse(works: Sequence[Work], error: Exception) -> None:
    """Nothing came of these; what is not an error of ours is told as one."""
    known = error if isinstance(error, HmiError) else _internal(error)
    for work in works:
        work.ticket.fail(known)


def _lookups(batch: Batch) -> list[Lookups | None]:
    """Where each work's rows came from, in order; None in exact mode."""
    found: list[Lookups | None] = []
    for group in batch.groups:
        at = 0
        for work in group.works:
            end = at + len(work.ids)
            found.append(None if group.retrieved is None else group.retrieved.lookups(at, end))
            at = end
    return found


def _internal(error: Exception) -> HmiError:
    return HmiError(
        f"The batch failed inside the engine: {type(error).__name__}: {error}",
        remedy="The engine's log has the details (hmi logs).",
    )
