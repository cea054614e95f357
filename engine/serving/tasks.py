"""What the stages make of the last layer's states for each kind of task, all kinds in one batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.memory.arena import AdapterArena
from engine.model.backbone import Backbone
from engine.model.heads import apply_heads
from engine.model.packing import Packing
from engine.serving.work import TaskName, Work


def values_of(
    works: Sequence[Work],
    slots: Sequence[int | None],
    top: Tensor,
    packing: Packing,
    backbone: Backbone,
    arena: AdapterArena,
) -> list[list[float]]:
    """Each work's values (see Outcome) out of the last layer's states `top` (T, H).

    `packing` may have rows that belong to nobody after the works'. A work whose slot is None has
    no values.
    """
    found: list[list[float]] = [[] for _ in works]
    headed = [i for i, work in enumerate(works) if slots[i] and work.model.task != "embedding"]
    if headed:
        vectors, counts = _vectors([works[i] for i in headed], headed, top, packing)
        rows = [arena.head_rows(slots[i] or 0) for i in headed]
        every = apply_heads(vectors, arena.heads, rows, counts)
        for i, own, logits in zip(headed, rows, every, strict=True):
            found[i] = _activated(works[i].model.task, logits, len(own)).tolist()
    if len(headed) < len(works) and (embedded := _embedded(works, slots)):
        pooled = backbone.pooling.apply(top, packing)[torch.tensor(embedded, device=top.device)]
        for i, vector in zip(embedded, pooled.tolist(), strict=True):
            found[i] = vector
    return found


def _embedded(works: Sequence[Work], slots: Sequence[int | None]) -> list[int]:
    return [i for i, work in enumerate(works) if slots[i] and work.model.task == "embedding"]


def _vectors(
    works: Sequence[Work], rows: list[int], top: Tensor, packing: Packing
) -> tuple[Tensor, list[int] | None]:
    """What the heads of `works`, which are `rows` of the packing, see: (V, H) float32, and how
    many of them are whose, if it is not one each."""
    pooled = packing.mean(top)
    device = top.device
    if all(work.model.task != "tokens" for work in works):
        return pooled[torch.tensor(rows, device=device)], None
    starts = (torch.cumsum(packing.lengths, 0) - packing.lengths).tolist()
    places: list[int] = []
    chosen: list[int] = []
    counts: list[int] = []
    for work, row in zip(works, rows, strict=True):
        if work.model.task == "tokens":
            first = packing.rows + len(places)
            places += [starts[row] + word for word in work.words]
            chosen += range(first, packing.rows + len(places))
            counts.append(len(work.words))
        else:
            chosen.append(row)
            counts.append(1)
    words = top[torch.tensor(places, device=device, dtype=torch.int64)].float()
    return torch.cat([pooled, words])[torch.tensor(chosen, device=device)], counts


def _activated(task: TaskName, logits: Tensor, labels: int) -> Tensor:
    """Logits (V * C,) -> the values (V * C,), over C labels."""
    if task in ("classify", "pair"):
        return logits.softmax(0)
    if task == "tokens":
        return logits.view(-1, labels).softmax(-1).flatten()
    return logits.sigmoid() if task == "multilabel" else logits
