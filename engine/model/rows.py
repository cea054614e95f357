"""A row as tables and caches keep it: one byte a number, and the step those bytes count in.

(H + 4,) int8: H whole numbers from -127 to 127, then the bytes of a float32, the row's step. A
table is written on one machine and read on another of the same byte order.
"""

from __future__ import annotations

import torch
from torch import Tensor

STEP_BYTES = 4
_MOST = 127.0


def row_bytes(hidden: int) -> int:
    """Bytes of one row of `hidden` numbers."""
    return hidden + STEP_BYTES


def encode_rows(values: Tensor) -> Tensor:
    """(N, H) float32 -> (N, H + 4) int8, within half a step of the value."""
    step = values.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / _MOST
    whole = (values / step).round().to(torch.int8)
    return torch.cat([whole, step.view(torch.int8)], dim=1)


def decode_rows(rows: Tensor) -> Tensor:
    """(N, H + 4) int8 -> (N, H) float32."""
    # A single row is contiguous already, but at an offset that a float32 may not have.
    step = rows[:, -STEP_BYTES:].clone(memory_format=torch.contiguous_format).view(torch.float32)
    return rows[:, :-STEP_BYTES] * step
