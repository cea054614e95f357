"""Heads of different sizes in one batch, without padding to the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class HeadRows:
    """The label vectors of all heads in one pool: `weight` (N, H), `bias` (N,), float32."""

    weight: Tensor
    bias: Tensor


def classify(pooled: Tensor, heads: HeadRows, rows: list[NDArray[np.int64]]) -> list[Tensor]:
    """Probabilities for each of B texts over its own labels.

    `pooled` (B, H) float32; `rows[i]` (C_i,) the pool rows of text i's labels.
    Returns B tensors (C_i,) float32 on the host.
    """
    sizes = [len(r) for r in rows]
    flat = torch.from_numpy(np.concatenate(rows)).to(pooled.device)
    owner = torch.repeat_interleave(
        torch.arange(len(rows), device=pooled.device),
        torch.tensor(sizes, device=pooled.device),
        output_size=sum(sizes),
    )
    logits = (heads.weight[flat] * pooled[owner]).sum(-1) + heads.bias[flat]
    return [part.softmax(0) for part in torch.split(logits.cpu(), sizes)]
