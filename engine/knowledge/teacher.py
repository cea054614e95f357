"""What the exact lower layers say of a corpus, computed once and remembered while there is room."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.backbone import Backbone
from engine.model.packing import Packing

BUDGET = 1 << 30
"""Bytes of remembered states: 1.4 million tokens at H = 384."""


class Teacher:
    """The backbone's hidden states of layer k, row by row, kept in float16.

    A pass over a corpus that is read several times costs the lower layers only once. Rows that
    do not fit `budget` are computed each time.
    """

    def __init__(self, backbone: Backbone, rows: list[list[int]], budget: int = BUDGET) -> None:
        self._backbone = backbone
        self._rows = rows
        self._left = budget
        self._kept: dict[int, Tensor] = {}

    @torch.no_grad()
    def states(self, which: list[int]) -> Tensor:
        """Layer k of distinct rows `which`, packed in that order (T, H) float32."""
        found = self._compute([row for row in which if row not in self._kept])
        kept = self._kept
        return torch.cat([found[row] if row in found else kept[row].float() for row in which])

    def _compute(self, which: list[int]) -> dict[int, Tensor]:
        if not which:
            return {}
        lengths = [len(self._rows[row]) for row in which]
        ids = torch.tensor([token for row in which for token in self._rows[row]])
        states = self._backbone.lower(ids, Packing.of(lengths))
        found: dict[int, Tensor] = dict(zip(which, states.split(lengths), strict=True))  # type: ignore[no-untyped-call]
        cost = states.numel() * 2
        if cost <= self._left:
            self._left -= cost
            self._kept |= {row: part.to(torch.float16, copy=True) for row, part in found.items()}
        return found
