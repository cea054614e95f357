"""Handing out what a batch found: each text its values, or why it has none."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import HmiError
from engine.knowledge.origins import Origin, origins
from engine.knowledge.retrieved import Lookups
from engine.serving.batch import Batch
from engine.serving.work import Outcome, Work


def answer(batch: Batch, values: Sequence[list[float]]) -> None:
    """Deliver answers and errors."""
    works = batch.works
    models = len(batch.adapters)
    sources = zip(_lookups(batch), _origins(batch), strict=True)
    for work, found, (lookups, traced) in zip(works, values, sources, strict=True):
        error = batch.errors.get(work.model.adapter)
        if error is not None:
            work.ticket.fail(error)
            continue
        work.ticket.deliver(
            work.index,
            Outcome(
                values=tuple(found),
                tokens=len(work.ids),
                lookups=lookups,
                origins=traced,
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


def _origins(batch: Batch) -> list[tuple[Origin, ...] | None]:
    """Where each token's row came from, of works that ask for it and have tables."""
    found: list[tuple[Origin, ...] | None] = []
    for group in batch.groups:
        at = 0
        for work in group.works:
            end = at + len(work.ids)
            got, knowledge = group.retrieved, group.knowledge
            if work.explain and got is not None and knowledge is not None:
                found.append(origins(work.ids, got.part(at, end), knowledge, work.second))
            else:
                found.append(None)
            at = end
    return found


def _internal(error: Exception) -> HmiError:
    return HmiError(
        f"The batch failed inside the engine: {type(error).__name__}: {error}",
        remedy="The engine's log has the details (hmi logs).",
    )
