"""Attention of one token to itself and its two neighbours, of which only the token goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.model.layers import Shape


def hear(own: Tensor, left: Tensor, right: Tensor, present: Tensor, shape: Shape) -> Tensor:
    """The centre's attention over three slots: (N, 3H) and twice (N, 2H) -> (N, H).

    `own` holds its query, key and value, `left` and `right` key and value. Written out, because
    general kernels spend more on set-up than on three products.
    """
    heads, width = shape.heads, shape.head_width
    q, k, v = own.view(-1, 3, heads, width).unbind(1)
    left_k, left_v = left.view(-1, 2, heads, width).unbind(1)
    right_k, right_v = right.view(-1, 2, heads, width).unbind(1)
    scores = torch.stack([(q * each).sum(-1) for each in (left_k, k, right_k)], dim=1)
    scores = (scores * width**-0.5).masked_fill(~present[:, :, None], float("-inf"))
    share = scores.softmax(1)[..., None]
    mixed: Tensor = share[:, 0] * left_v + share[:, 1] * v + share[:, 2] * right_v
    return mixed.flatten(1)
