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
    vectors: Tensor,
    heads: HeadRows,
    rows: list[NDArray[np.int64]],
    counts: list[int] | None = None,
) -> list[Tensor]:
    """Logits of each of B texts over its own labels.

    `vectors` (V, H) float32, `counts[i]` of them text i's, one text's after another's, or one each;
    `rows[i]` (C_i,) the pool rows of its labels. Returns B tensors (counts[i] * C_i,) float32 on
    the host, one vector's logits after another's.
    """
    device = vectors.device
    widths = [len(r) for r in rows]
    if counts is not None:
        rows = [np.tile(r, n) for r, n in zip(rows, counts, strict=True)]
    each = widths if counts is None else np.repeat(widths, counts).tolist()
    flat = torch.from_numpy(np.concatenate(rows)).to(device)
    # How many logits each vector makes.
    owner = torch.repeat_interleave(
        torch.arange(len(each), device=device),
        torch.tensor(each, device=device),
        output_size=len(flat),
    )
    logits = (heads.weight[flat] * vectors[owner]).sum(-1) + heads.bias[flat]
    return list(torch.split(logits.cpu(), [len(r) for r in rows]))
