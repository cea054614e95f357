"""What came of looking tokens up: a row for each, and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Lookups:
    """How many of some tokens each way of getting a row served."""

    hits: int
    cached: int
    backed_off: int
    computed: int

    def __add__(self, other: Lookups) -> Lookups:
        return Lookups(
            self.hits + other.hits,
            self.cached + other.cached,
            self.backed_off + other.backed_off,
            self.computed + other.computed,
        )

    @property
    def tokens(self) -> int:
        return self.hits + self.cached + self.backed_off + self.computed


@dataclass(frozen=True, slots=True, eq=False)
class Retrieved:
    """`rows` (U, H + 4) int8 on the host, `which` (T,) the row of each token.

    `hit`, `backed_off` and `cached` (T,), of which at most one is True, tell where each token's
    row came from; the rest were computed.
    """

    rows: Tensor
    which: Tensor
    hit: NDArray[np.bool_]
    backed_off: NDArray[np.bool_]
    cached: NDArray[np.bool_]

    def part(self, start: int, end: int) -> Retrieved:
        """Of the tokens `start` to `end`."""
        return Retrieved(
            self.rows,
            self.which[start:end],
            self.hit[start:end],
            self.backed_off[start:end],
            self.cached[start:end],
        )

    def where(self, tokens: NDArray[np.bool_]) -> Retrieved:
        """Of the tokens for which `tokens` (T,) is True."""
        return Retrieved(
            self.rows,
            self.which[torch.from_numpy(tokens)],
            self.hit[tokens],
            self.backed_off[tokens],
            self.cached[tokens],
        )

    def lookups(self, start: int = 0, end: int | None = None) -> Lookups:
        """Of the tokens `start` to `end`."""
        hits, cached, shorter = (
            int(each[start:end].sum()) for each in (self.hit, self.cached, self.backed_off)
        )
        tokens = len(self.hit[start:end])
        return Lookups(hits, cached, shorter, tokens - hits - cached - shorter)


def together(parts: Sequence[Retrieved]) -> Retrieved:
    """What was retrieved for several texts after another, as for all of them at once."""
    if len(parts) == 1:
        return parts[0]
    starts = accumulate((len(part.rows) for part in parts), initial=0)
    return Retrieved(
        rows=torch.cat([part.rows for part in parts]),
        which=torch.cat([part.which + at for part, at in zip(parts, starts, strict=False)]),
        hit=np.concatenate([part.hit for part in parts]),
        backed_off=np.concatenate([part.backed_off for part in parts]),
        cached=np.concatenate([part.cached for part in parts]),
    )
