"""Heads of different sizes and kinds in one batch, without padding to the largest."""

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


def apply_heads(
    vectors: Tensor, heads: HeadRows, rows: list[NDArray[np.int64]], counts: list[int]
) -> list[Tensor]:
    """Logits of each of B texts over its own labels.

    `vectors` (V, H) float32, `counts[i]` of them text i's, one text's after another's; `rows[i]`
    (C_i,) the pool rows of its labels. Returns B tensors (counts[i], C_i) float32 on the host.
    """
    widths = [len(r) for r in rows]
    tiled = [r if n == 1 else np.tile(r, n) for r, n in zip(rows, counts, strict=True)]
    flat = torch.from_numpy(np.concatenate(tiled)).to(vectors.device)
    # How many logits each vector makes.
    each = np.repeat(widths, counts)
    owner = torch.repeat_interleave(
        torch.arange(len(each), device=vectors.device),
        torch.from_numpy(each).to(vectors.device),
        output_size=len(flat),
    )
    logits = (heads.weight[flat] * vectors[owner]).sum(-1) + heads.bias[flat]
    parts = torch.split(logits.cpu(), [len(r) for r in tiled])
    return [
        part.view(count, width) for part, count, width in zip(parts, counts, widths, strict=True)
    ]
