"""Many tenants' adapters at work in one batch, in which every row may bring its own.

On a device that is one gathered, batched matrix product per place; on the CPU, where copying the
weights together costs more than calling twice, one product per adapter on the slots as they lie
(in bfloat16, where a call costs more, that holds for texts of very different lengths alone).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.adapters import PLACES
from engine.model.packing import Packing

_MOST_PADDING = 2.0
"""Places for a token at which gathering in bfloat16 no longer pays on a CPU."""
_FEW = 4
"""The rectangle's sides are multiples of it where kernels are compiled by shape."""


def bottleneck(x: Tensor, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor) -> Tensor:
    """One adapter on (..., H): the reference that batches are tested against."""
    return x + torch.matmul(F.gelu(torch.matmul(x, down) + down_bias), up) + up_bias


@dataclass(frozen=True, eq=False)
class SlotWeights:
    """The bottlenecks of all S slots, by layer and place (P = 2U): `down` (P, S, H, r) and so on.

    Slot 0 is zero: the base model.
    """

    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor


class BatchedAdapters:
    """The adapters of one batch: `slots` (B,), the slot of each row of `packing`.

    Rows of one slot are neighbours when `slots` is sorted; then they are taken as one group.
    """

    def __init__(
        self,
        weights: SlotWeights,
        slots: list[int],
        packing: Packing,
        *,
        gathered: bool | None = None,
    ) -> None:
        """`gathered` says how; by default as the device and the dtype like it."""
        self._weights = weights
        self._slots: list[int] = []
        self._sizes: list[int] = []
        for slot, length in zip(slots, packing.sizes, strict=True):
            if self._slots and self._slots[-1] == slot:
                self._sizes[-1] += length
            else:
                self._slots.append(slot)
                self._sizes.append(length)
        self._gathered: _Gathered | None = None
        # Whichever rectangle is smaller: a row a line, or a slot's run of rows a line.
        by_run, by_row = len(self._sizes) * max(self._sizes), packing.rows * packing.longest
        compiles = packing.device.type == "cpu" and weights.down.dtype == torch.bfloat16
        if gathered is None:
            padding = min(by_run, by_row) / packing.total
            gathered = packing.device.type != "cpu" or (compiles and padding <= _MOST_PADDING)
        if gathered:
            runs = by_run <= by_row
            self._gathered = _Gathered.of(
                self._slots if runs else slots,
                Packing.of(self._sizes, packing.device) if runs else packing,
                _FEW if compiles else 1,
            )
        self._idle = not any(slots)

    def __call__(self, x: Tensor, layer: int, place: str) -> Tensor:
        """Hidden (T, H) after `place` of upper layer `layer` -> adapted (T, H)."""
        if self._idle:
            return x
        w, at = self._weights, len(PLACES) * layer + PLACES.index(place)
        parts = w.down[at], w.down_bias[at], w.up[at], w.up_bias[at]
        if self._gathered is not None:
            return self._gathered.apply(x, *parts)
        return self._in_turn(x, *parts)

    def _in_turn(
        self, x: Tensor, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor
    ) -> Tensor:
        narrow, wide = x.new_empty(x.shape[0], down.shape[-1]), torch.empty_like(x)
        self._multiply(x, down, down_bias, narrow)
        self._multiply(F.gelu(narrow), up, up_bias, wide)
        return wide.add_(x)

    def _multiply(self, x: Tensor, weights: Tensor, biases: Tensor, out: Tensor) -> None:
        sizes = self._sizes
        runs = zip(self._slots, torch.split(x, sizes), torch.split(out, sizes), strict=True)
        for slot, tokens, part in runs:
            torch.addmm(biases[slot], tokens, weights[slot], out=part)


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """All of them at once: a slot (G,) for each line of a rectangle of L places, and the `cells`
    (T,) of it that tokens take."""

    slots: Tensor
    places: int
    cells: Tensor

    @classmethod
    def of(cls, slots: list[int], packing: Packing, step: int) -> _Gathered:
        """One line a row of `packing`; both sides are multiples of `step` (see packing.rounded)."""
        lines, places = (-(-size // step) * step for size in (packing.rows, packing.longest))
        padded = [*slots, *[0] * (lines - len(slots))]
        return cls(
            torch.tensor(padded, device=packing.device),
            places,
            packing.row_of * places + packing.position,
        )

    def apply(
        self, x: Tensor, down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor
    ) -> Tensor:
        slots, hidden = self.slots, x.shape[1]
        cells = x.new_zeros(len(slots) * self.places, hidden).index_copy(0, self.cells, x)
        padded = cells.view(len(slots), self.places, hidden)
        narrow = F.gelu(torch.baddbmm(down_bias[slots][:, None], padded, down[slots]))
        wide = torch.baddbmm(up_bias[slots][:, None], narrow, up[slots])
        return x + wide.view(-1, hidden).index_select(0, self.cells)
