"""Adapters that learn, many of one shape at once: stacked, so that a pass takes them together.

Each has its own parameters and optimizer, so that it may have hyperparameters of its own and moves
as it would move by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.adapters import PLACES, AdapterWeights
from engine.model.packing import round_up

NAMES = ("down", "down_bias", "up", "up_bias", "head", "head_bias")
STACKED = 4
"""So many of them are the bottlenecks'."""
_MOST_PADDING = 1.25
"""Places for a token above which one product for all costs more than one for each."""


class AdapterStack:
    """J adapters as float32 parameters, each a leaf of its own; a pass stacks those that it takes
    (J, U, 2, ...). Heads have their own sizes and stay apart."""

    def __init__(self, starts: Sequence[AdapterWeights], device: torch.device) -> None:
        """All `starts` have one shape, heads apart."""
        self._leaves = [
            [
                getattr(start, name).to(device, torch.float32).clone().requires_grad_()
                for name in NAMES
            ]
            for start in starts
        ]

    def parameters(self, j: int) -> list[Tensor]:
        """Adapter j's, in the order of AdapterWeights' fields."""
        return self._leaves[j]

    def head(self, j: int) -> tuple[Tensor, Tensor]:
        """Adapter j's, (C, H) and (C,)."""
        *_, head, bias = self._leaves[j]
        return head, bias

    def weights(self, j: int) -> AdapterWeights:
        """Adapter j as it is now, a copy."""
        copies = (leaf.detach().clone() for leaf in self._leaves[j])
        return AdapterWeights(**dict(zip(NAMES, copies, strict=True)))

    def put(self, j: int, weights: AdapterWeights) -> None:
        """Let adapter j be `weights`."""
        with torch.no_grad():
            for leaf, name in zip(self._leaves[j], NAMES, strict=True):
                leaf.copy_(getattr(weights, name))

    def place(self, which: Sequence[int], counts: Sequence[int], drop: Dropout) -> _Applied:
        """The adapters `which` as `Place`: the first `counts[0]` tokens have the first of them,
        and so on; tokens beyond all counts have none."""
        leaves = [self._leaves[j][:STACKED] for j in which]
        parts = [
            each[0][None] if len(which) == 1 else torch.stack(each)
            for each in zip(*leaves, strict=True)
        ]
        return _Applied(parts, list(counts), drop)


class Dropout:
    """What is dropped is decided by each adapter's own seed and step, not by whom it learns
    beside."""

    def __init__(self, shares: Sequence[float], seeds: Sequence[int]) -> None:
        """A share and a seed for each adapter of a pass."""
        self._shares = list(shares)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    @property
    def any(self) -> bool:
        return any(self._shares)

    def factors(self, at: int, count: int, like: Tensor) -> Tensor:
        """What to multiply (places, r) of adapter number `at` of the pass with, of which the first
        `count` places are its tokens; the others may be anything."""
        share, (places, width) = self._shares[at], like.shape
        kept = torch.rand(count, width, generator=self._generators[at]) >= share
        factors = F.pad(kept.float() / (1 - share), (0, 0, 0, places - count))
        return factors.to(like.device, like.dtype)


NO_DROPOUT = Dropout((), ())


class _Applied:
    """Every run of tokens is brought to one of few lengths, where kernels are compiled by shape."""

    def __init__(self, parts: list[Tensor], counts: list[int], drop: Dropout) -> None:
        """`parts` (N, U, 2, ...) are the bottlenecks of the N adapters at work."""
        self._parts, self._counts, self._drop = parts, counts, drop
        padding = max(counts) * len(counts) / sum(counts)
        self._together = padding <= _MOST_PADDING

    def __call__(self, x: Tensor, layer: int, place: str) -> Tensor:
        """Hidden (T, H) after `place` of upper layer `layer` -> adapted (T, H)."""
        at = PLACES.index(place)
        parts = [part[:, layer, at].to(x.dtype) for part in self._parts]
        if len(self._counts) == 1:
            # Rows that belong to nobody take part: nobody looks at what becomes of them.
            return x + self._product(x[None], parts, [0])[0]
        left = x.shape[0] - sum(self._counts)
        *runs, rest = torch.split(x, [*self._counts, left])
        if self._together:
            size = self._size(x, max(self._counts))
            padded = torch.stack([_padded(run, size) for run in runs])
            wide = self._product(padded, parts, list(range(len(runs))))
            added = [wide[i, : len(run)] for i, run in enumerate(runs)]
        else:
            added = []
            for i, run in enumerate(runs):
                alone = _padded(run, self._size(x, len(run)))[None]
                wide = self._product(alone, [part[i : i + 1] for part in parts], [i])
                added.append(wide[0, : len(run)])
        return x + torch.cat([*added, torch.zeros_like(rest)])

    def _product(self, x: Tensor, parts: Sequence[Tensor], which: Sequence[int]) -> Tensor:
        """(N, L, H) of the adapters `which` -> what they add, (N, L, H)."""
        down, down_bias, up, up_bias = parts
        narrow = F.gelu(torch.baddbmm(down_bias[:, None], x, down))
        if self._drop.any:
            factors = [
                self._drop.factors(i, self._counts[i], each)
                for i, each in zip(which, narrow, strict=True)
            ]
            narrow = narrow * torch.stack(factors)
        return torch.baddbmm(up_bias[:, None], narrow, up)

    @staticmethod
    def _size(x: Tensor, length: int) -> int:
        compiles = x.device.type == "cpu" and x.dtype == torch.bfloat16
        return round_up(length) if compiles else length


def _padded(run: Tensor, length: int) -> Tensor:
    return F.pad(run, (0, 0, 0, length - len(run)))
