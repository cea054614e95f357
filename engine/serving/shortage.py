"""What to do when the device's memory runs out in the middle of a batch: less at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import torch

from engine.errors import Unavailable
from engine.serving.answers import refuse
from engine.serving.batch import Batch, Group

log = logging.getLogger(__name__)

Compute = Callable[[Batch], list[list[float]]]


def compute_in_parts(batch: Batch, compute: Compute) -> list[list[float]]:
    """Each work's values; if memory runs out, of one half after the other, once.

    A half that does not fit either is refused, alone, and has no values.
    """
    try:
        return compute(batch)
    except torch.OutOfMemoryError as error:
        log.warning("%s Its %d texts are computed in two halves.", error, len(batch.works))
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return [row for half in halves(batch) for row in _again(half, compute)]


def halves(batch: Batch) -> list[Batch]:
    """The batch's works in two batches, in order; one if there is but one work."""
    cut = (len(batch.works) + 1) // 2
    parts: list[list[Group]] = [[], []]
    at = 0
    for group in batch.groups:
        middle = min(max(cut - at, 0), len(group.works))
        for part, piece in zip(parts, (group.part(0, middle), group.part(middle)), strict=True):
            if piece.works:
                part.append(piece)
        at += len(group.works)
    return [replace(batch, groups=part) for part in parts if part]


def _again(half: Batch, compute: Compute) -> list[list[float]]:
    try:
        return compute(half)
    except torch.OutOfMemoryError as error:
        log.exception("%d texts do not fit into the device's memory", len(half.works))
        refuse(
            half.works,
            Unavailable(
                f"The device's memory ran out: {error}",
                remedy="Ask with fewer or shorter texts at once, or start the engine with a "
                "smaller --device-cache.",
                code="out_of_memory",
            ),
        )
        return [[] for _ in half.works]
