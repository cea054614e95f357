"""What the exact lower layers say of a corpus, computed once and remembered while there is room."""

from __future__ import annotations

from collections.abc import Mapping

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
    def states(self, which: list[int], instead: Mapping[int, list[int]] | None = None) -> Tensor:
        """Layer k of distinct rows `which`, packed in that order (T, H) float32.

        `instead` has other token ids for some of them; nothing of those is remembered.
        """
        instead = instead or {}
        found = self._compute(
            {row: self._rows[row] for row in which if row not in self._kept} | dict(instead)
        )
        self._keep({row: states for row, states in found.items() if row not in instead})
        kept = self._kept
        return torch.cat([found[row] if row in found else kept[row].float() for row in which])

    def _compute(self, rows: Mapping[int, list[int]]) -> dict[int, Tensor]:
        if not rows:
            return {}
        lengths = [len(ids) for ids in rows.values()]
        ids = torch.tensor([token for ids in rows.values() for token in ids])
        states = self._backbone.lower(ids, Packing.of(lengths))
        return dict(zip(rows, torch.split(states, lengths), strict=True))

    def _keep(self, found: dict[int, Tensor]) -> None:
        cost = sum(states.numel() for states in found.values()) * 2
        if cost <= self._left:
            self._left -= cost
            self._kept |= {row: part.to(torch.float16, copy=True) for row, part in found.items()}
