"""Adapters that learn, many of one shape at once: stacked, so that a pass takes them together.

The parameters of adapter j are views into the stack. Its optimizer sees them alone, so that every
adapter may have hyperparameters of its own and moves as it would move by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.adapters import PLACES, AdapterWeights

STACKED = ("down", "down_bias", "up", "up_bias")
_MOST_PADDING = 1.25
"""Places for a token above which one product for all costs more than one for each."""


class AdapterStack:
    """J adapters as float32 parameters: the bottlenecks stacked (J, U, 2, ...), the heads, which
    have their own sizes, one by one."""

    def __init__(self, starts: Sequence[AdapterWeights], device: torch.device) -> None:
        """All `starts` have one shape, heads apart."""
        self._whole = {
            name: torch.stack([getattr(start, name).to(device, torch.float32) for start in starts])
            for name in STACKED
        }
        self.heads = [
            (
                start.head.to(device, torch.float32).clone().requires_grad_(),
                start.head_bias.to(device, torch.float32).clone().requires_grad_(),
            )
            for start in starts
        ]
        self._views = [
            [*(whole[j] for whole in self._whole.values()), *head]
            for j, head in enumerate(self.heads)
        ]
        for whole in self._whole.values():
            # After the views were taken: they are leaves of their own, and get gradients by hand.
            whole.requires_grad_()

    def parameters(self, j: int) -> list[Tensor]:
        """Adapter j's, in the order of AdapterWeights' fields."""
        return self._views[j]

    def weights(self, j: int) -> AdapterWeights:
        """Adapter j as it is now, a copy."""
        names = (*STACKED, "head", "head_bias")
        copies = (view.detach().clone() for view in self._views[j])
        return AdapterWeights(**dict(zip(names, copies, strict=True)))

    def put(self, j: int, weights: AdapterWeights) -> None:
        """Let adapter j be `weights`."""
        with torch.no_grad():
            for view, value in zip(self._views[j], weights.tensors().values(), strict=True):
                view.copy_(value)

    def share_gradients(self, j: int) -> None:
        """After a backward pass: give adapter j's parameters their parts of the gradients."""
        for view, whole in zip(self._views[j], self._whole.values(), strict=False):
            view.grad = None if whole.grad is None else whole.grad[j]

    def clear_gradients(self) -> None:
        for whole in self._whole.values():
            whole.grad = None
        for pair in self.heads:
            for part in pair:
                part.grad = None

    def place(self, which: Sequence[int], counts: Sequence[int], drop: Dropout) -> _Applied:
        """The adapters `which` as `Place`: the first `counts[0]` tokens have the first of them,
        and so on; tokens beyond all counts have none."""
        return _Applied(self._whole, list(which), list(counts), drop)


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

    def apply(self, narrow: Tensor, at: int) -> Tensor:
        """(n, r) of adapter number `at` of the pass, some of it zero and the rest larger."""
        share = self._shares[at] if self._shares else 0.0
        if not share:
            return narrow
        kept = torch.rand(narrow.shape, generator=self._generators[at]) >= share
        return narrow * kept.to(narrow.device, narrow.dtype) / (1 - share)


NO_DROPOUT = Dropout((), ())


class _Applied:
    def __init__(
        self, whole: dict[str, Tensor], which: list[int], counts: list[int], drop: Dropout
    ) -> None:
        everybody = which == list(range(len(whole["down"])))
        index = torch.tensor(which, device=whole["down"].device)
        self._parts = [
            part if everybody else part.index_select(0, index) for part in whole.values()
        ]
        self._counts, self._drop = counts, drop
        self._longest = max(counts)
        padding = self._longest * len(counts) / sum(counts)
        self._together = len(counts) > 1 and padding <= _MOST_PADDING

    def __call__(self, x: Tensor, layer: int, place: str) -> Tensor:
        """Hidden (T, H) after `place` of upper layer `layer` -> adapted (T, H)."""
        at = PLACES.index(place)
        down, down_bias, up, up_bias = (part[:, layer, at].to(x.dtype) for part in self._parts)
        left = x.shape[0] - sum(self._counts)
        runs = torch.split(x, [*self._counts, left])
        if self._together:
            added = self._at_once(runs[:-1], down, down_bias, up, up_bias)
        else:
            added = [
                self._drop.apply(F.gelu(torch.addmm(down_bias[i], run, down[i])), i) @ up[i]
                + up_bias[i]
                for i, run in enumerate(runs[:-1])
            ]
        rest = [x.new_zeros(left, x.shape[1])] if left else []
        return x + torch.cat([*added, *rest])

    def _at_once(
        self, runs: Sequence[Tensor], down: Tensor, down_bias: Tensor, up: Tensor, up_bias: Tensor
    ) -> list[Tensor]:
        """One product for all adapters, the shorter runs padded."""
        longest = self._longest
        padded = torch.stack([F.pad(run, (0, 0, 0, longest - len(run))) for run in runs])
        narrow = F.gelu(torch.baddbmm(down_bias[:, None], padded, down))
        if self._drop.any:
            dropped = (self._drop.apply(narrow[i, : len(run)], i) for i, run in enumerate(runs))
            narrow = torch.stack([F.pad(d, (0, 0, 0, longest - len(d))) for d in dropped])
        wide = torch.baddbmm(up_bias[:, None], narrow, up)
        return [wide[i, : len(run)] for i, run in enumerate(runs)]
