"""What a run sees when: the held-out split, the order of batches, the learning rate."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray

_HELD_OUT = 0.1
_LEAST = 0.02
"""A rate of nothing would make the first and the last step idle."""


def split(targets: NDArray[np.int64], seed: int) -> tuple[list[int], list[int]]:
    """Row numbers to train on and to hold out: a tenth of each label, fixed by the seed.

    A label with one row is trained on; if every label is that rare, rows are held out at random.
    """
    rng = np.random.default_rng([seed, 1])
    held_out: list[int] = []
    for target in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == target))
        if len(rows) > 1:
            held_out.extend(rows[: _share(len(rows))].tolist())
    if not held_out:
        held_out = rng.permutation(len(targets))[: _of_rare(len(targets))].tolist()
    chosen = set(held_out)
    return [i for i in range(len(targets)) if i not in chosen], sorted(held_out)


def held_out_rows(counts: Collection[int]) -> int:
    """How many rows `split` holds out of a dataset with so many rows of each label."""
    held_out = sum(_share(count) for count in counts if count > 1)
    return held_out or _of_rare(sum(counts))


def _share(rows: int) -> int:
    return max(1, round(_HELD_OUT * rows))


def _of_rare(rows: int) -> int:
    return max(1, rows // 10)


def batches(
    rows: list[int],
    lengths: NDArray[np.int64],
    size: int,
    rng: np.random.Generator,
) -> list[list[int]]:
    """A random order in batches of texts of like length."""
    order = rng.permutation(rows)
    noisy = lengths[order] * rng.uniform(0.8, 1.2, len(order))
    ranked = order[np.argsort(noisy, kind="stable")]
    batches = [ranked[i : i + size].tolist() for i in range(0, len(ranked), size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def rate(share: float, schedule: str = "linear", warmup: float = 0.05) -> float:
    """The factor of the learning rate once `share` of all steps is done: a linear warm-up over the
    first `warmup` of them, then what `schedule` says, down to a fiftieth."""
    if warmup > 0 and share < warmup:
        return max(share / warmup, _LEAST)
    if schedule == "constant":
        return 1.0
    left = (1 - share) / (1 - warmup) if warmup < 1 else 1.0
    if schedule == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return max(left, _LEAST)


def set_rate(
    optimizer: torch.optim.Optimizer,
    lr: float,
    share: float,
    schedule: str = "linear",
    warmup: float = 0.05,
) -> None:
    """Make the optimizer's next step one of the rate that `rate` says."""
    for group in optimizer.param_groups:
        group["lr"] = lr * rate(share, schedule, warmup)
