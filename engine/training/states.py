"""Lower-layer outputs of a dataset, computed once and read every epoch.

Only the adapter and head learn, so the state of layer k of a text never changes while a job runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from engine.knowledge.retrieve import Knowledge, retrieve
from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading

_BATCH_TOKENS = 2048


class StateCache:
    """For each text its layer-k state (T_i, H) float16, through the tables and exactly.

    Texts beyond `budget` bytes are not kept but computed whenever they are asked for. Where the
    domain's knowledge is damaged, so that nobody may be served from it, all states are exact.
    """

    def __init__(
        self,
        backbone: Backbone,
        knowledge: Knowledge,
        readings: Sequence[Reading],
        budget: int,
        progress: Callable[[float], None],
    ) -> None:
        self._backbone = backbone
        self._knowledge = knowledge
        self._rows = rows = [reading.ids for reading in readings]
        self._ways = (False, True) if knowledge.damage is None else (True,)
        self._kept: dict[tuple[int, bool], Tensor] = {}
        cost = backbone.shape.hidden * 2 * len(self._ways)
        spent = 0
        keep: list[int] = []
        for i in sorted(range(len(rows)), key=lambda i: len(rows[i])):
            spent += len(rows[i]) * cost
            if spent > budget:
                break
            keep.append(i)
        done = 0
        for batch in _by_tokens(keep, rows):
            for exact in self._ways:
                for i, state in zip(batch, self._compute(batch, exact), strict=True):
                    self._kept[i, exact] = state.half()
            done += len(batch)
            progress(done / len(keep))

    def get(self, which: Sequence[tuple[int, bool]]) -> tuple[Tensor, Packing]:
        """Packed states (T, H) in the backbone's dtype for (text, exact?) pairs, in order."""
        parts = [self._state(text, exact or len(self._ways) == 1) for text, exact in which]
        backbone = self._backbone
        packing = Packing.of([len(p) for p in parts], backbone.device)
        return torch.cat(parts).to(backbone.device, backbone.dtype), packing

    def _state(self, text: int, exact: bool) -> Tensor:
        kept = self._kept.get((text, exact))
        return self._compute([text], exact)[0] if kept is None else kept

    @torch.no_grad()
    def _compute(self, which: list[int], exact: bool) -> list[Tensor]:
        backbone, device = self._backbone, self._backbone.device
        lengths = [len(self._rows[i]) for i in which]
        ids = np.fromiter((t for i in which for t in self._rows[i]), np.int64, sum(lengths))
        packing = Packing.of(lengths, device)
        if exact:
            states = backbone.lower(torch.from_numpy(ids).to(device), packing)
        else:
            got = retrieve(ids, np.array(lengths), self._knowledge)
            states = self._knowledge.assemble(got, packing)
        return list(states.cpu().split(lengths))  # type: ignore[no-untyped-call]


def _by_tokens(order: list[int], rows: list[list[int]]) -> list[list[int]]:
    batches: list[list[int]] = []
    size = _BATCH_TOKENS
    for i in order:
        if size + len(rows[i]) > _BATCH_TOKENS:
            batches.append([])
            size = 0
        batches[-1].append(i)
        size += len(rows[i])
    return batches
