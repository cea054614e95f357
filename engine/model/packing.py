"""Sequences of different lengths side by side, without padding where it would cost.

Linear layers see the packed form (T, H): all real tokens in a row, no padding. On the CPU
attention and adapters take one row after the other out of it. On a device, where a launch costs
more than the padding, they scatter into a rectangle (B, L, H) and gather back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

_STEPS_AN_OCTAVE = 8
"""Sizes between a number of places and its double."""


def rounded(lengths: list[int]) -> list[int]:
    """`lengths`, and those of rows that belong to nobody, so that the total is one of few.

    In bfloat16 the CPU's matrix kernels are compiled for each number of rows when they first meet
    it, and the latest thousand are kept. Compiling costs more than a small batch's arithmetic, and
    batches come in all sizes; of rounded ones, an eighth larger at most or 7, there are few.
    """
    total, longest = sum(lengths), max(lengths)
    left = round_up(total) - total
    return [*lengths, *[longest] * (left // longest), *[left % longest][: left % longest]]


def round_up(count: int) -> int:
    """The next of few sizes: multiples of 8, of 16 from 128 on, of 32 from 256 on, ..."""
    step = _STEPS_AN_OCTAVE
    while 2 * step * _STEPS_AN_OCTAVE <= count:
        step *= 2
    return -(-count // step) * step


@dataclass(frozen=True, eq=False)
class Packing:
    """How B rows of `lengths` (int64, on the device) lie in T packed places.

    `sizes` are the lengths on the host, so that no shape waits for the device. `seconds` says of
    the first rows where in each a second text begins, 0 if it has none; left out, none has.
    """

    lengths: Tensor
    sizes: tuple[int, ...]
    seconds: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        lengths: list[int],
        device: torch.device | str = "cpu",
        seconds: Sequence[int] = (),
    ) -> Packing:
        if not lengths or min(lengths) < 1:
            raise ValueError("a packing needs at least one row, and no empty ones")
        pairs = tuple(seconds) if any(seconds) else ()
        return cls(torch.tensor(lengths, device=device), tuple(lengths), pairs)

    @property
    def rows(self) -> int:
        """B."""
        return len(self.sizes)

    @cached_property
    def longest(self) -> int:
        """L, the longest row."""
        return max(self.sizes)

    @cached_property
    def total(self) -> int:
        """T, the tokens of all rows."""
        return sum(self.sizes)

    @property
    def device(self) -> torch.device:
        return self.lengths.device

    @property
    def even(self) -> bool:
        """All rows have the same length: padded and packed are the same memory."""
        return self.rows * self.longest == self.total

    @cached_property
    def row_of(self) -> Tensor:
        """(T,) the row that each packed place belongs to."""
        rows = torch.arange(self.rows, device=self.device)
        return torch.repeat_interleave(rows, self.lengths, output_size=self.total)

    @cached_property
    def position(self) -> Tensor:
        """(T,) each packed place's position inside its row."""
        starts = torch.cumsum(self.lengths, 0) - self.lengths
        return torch.arange(self.total, device=self.device) - starts[self.row_of]

    @cached_property
    def segment(self) -> Tensor | None:
        """(T,) 1 at tokens of a second text and 0 elsewhere; None if no row has one."""
        if not self.seconds:
            return None
        marks: list[int] = []
        seconds = (*self.seconds, *[0] * (self.rows - len(self.seconds)))
        for length, second in zip(self.sizes, seconds, strict=True):
            first = second or length
            marks += [0] * first + [1] * (length - first)
        return torch.tensor(marks, device=self.device)

    @cached_property
    def _cells(self) -> Tensor:
        return self.row_of * self.longest + self.position

    @cached_property
    def mask(self) -> Tensor | None:
        """(B, 1, 1, L) True at real tokens, or None where there is no padding."""
        if self.even:
            return None
        columns = torch.arange(self.longest, device=self.device)
        return (columns[None, :] < self.lengths[:, None])[:, None, None, :]

    def pad(self, packed: Tensor) -> Tensor:
        """(T, *) -> (B, L, *), zeros in the padding."""
        tail = packed.shape[1:]
        if self.even:
            return packed.view(self.rows, self.longest, *tail)
        cells = packed.new_zeros(self.rows * self.longest, *tail)
        return cells.index_copy(0, self._cells, packed).view(self.rows, self.longest, *tail)

    def pack(self, padded: Tensor) -> Tensor:
        """(B, L, *) -> (T, *)."""
        flat = padded.reshape(self.rows * self.longest, *padded.shape[2:])
        return flat if self.even else flat.index_select(0, self._cells)

    def mean(self, packed: Tensor) -> Tensor:
        """(T, H) -> (B, H), the mean over each row's tokens, summed in float32."""
        wide = packed.float()
        sums = wide.new_zeros(self.rows, wide.shape[1]).index_add(0, self.row_of, wide)
        return sums / self.lengths[:, None]
