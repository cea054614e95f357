"""How many rows may share a matrix product without changing each other's last bit.

A product may add up in another order when it has another height, and a computed row must equal a
stored one to the last bit whoever else is in the batch. Most libraries keep the order once the
height fills their kernel; whether the one at hand does is tried out, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

GRAIN = 16
"""Heights are multiples of this."""
MOST = 256
"""More rows at once gain nothing and leave the processor's cache."""


def is_steady(product: Callable[[Tensor], Tensor], width: int, device: torch.device) -> bool:
    """Whether `product`, of (N, width) float32, gives each row the same bits at every height
    that `height` may answer."""
    rows = torch.linspace(-2.0, 2.0, MOST * width, device=device).sin().view(MOST, width)
    whole = product(rows)
    return all(torch.equal(product(rows[:n].clone()), whole[:n]) for n in range(GRAIN, MOST, GRAIN))


def height(count: int, *, is_steady: bool) -> int:
    """The height at which to compute `count` rows, or as many of them as go at once."""
    if not is_steady:
        return 2 * GRAIN
    return min(MOST, -(-count // GRAIN) * GRAIN)
