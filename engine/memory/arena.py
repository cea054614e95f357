"""The device arena: a fixed set of slots for adapters, and a pool of rows for their heads.

Slot 0 is the base model and never given away. Adapters of a lower rank than the arena's are
padded with zeros, which changes no answer. Nothing here decides who comes and goes (see tiers).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from engine.errors import BadInput, Unavailable
from engine.memory.transfer import transfer_to
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights
from engine.model.batched import SlotWeights
from engine.model.heads import HeadRows

HEAD_ROWS_PER_SLOT = 32
"""Average labels a slot is planned for; the pool is shared, so one head may take many more."""


class AdapterArena:
    """Not thread-safe but for `fill`: its owner serialises `reserve`, `put` and `remove`."""

    def __init__(
        self, shape: AdapterShape, budget: int, device: torch.device, dtype: torch.dtype
    ) -> None:
        """As many slots of `shape` as `budget` bytes hold, at least one beside slot 0."""
        self.shape = shape
        self.device = device
        self.dtype = dtype
        size = torch.tensor([], dtype=dtype).element_size()
        head = HEAD_ROWS_PER_SLOT * (shape.hidden + 1) * 4
        self.slot_bytes = shape.parameters * size + head
        self.slots = max(1, budget // self.slot_bytes)
        count, places = self.slots + 1, shape.layers * len(PLACES)

        def zeros(*sizes: int) -> torch.Tensor:
            return torch.zeros(places, count, *sizes, device=device, dtype=dtype)

        self.weights = SlotWeights(
            down=zeros(shape.hidden, shape.rank),
            down_bias=zeros(shape.rank),
            up=zeros(shape.rank, shape.hidden),
            up_bias=zeros(shape.hidden),
        )
        pool = self.slots * HEAD_ROWS_PER_SLOT
        # A single head of the largest allowed size must always fit.
        pool = max(pool, 4096)
        self.heads = HeadRows(
            torch.zeros(pool, shape.hidden, device=device), torch.zeros(pool, device=device)
        )
        self.transfer = transfer_to(device, shape)
        self._free_slots = list(range(self.slots, 0, -1))
        self._free_rows = np.arange(pool - 1, -1, -1, dtype=np.int64)
        self._rows_left = pool
        self._head_of: dict[int, NDArray[np.int64]] = {}

    @property
    def nbytes(self) -> int:
        parts = (self.weights.down, self.weights.down_bias, self.weights.up, self.weights.up_bias)
        heads = (self.heads.weight, self.heads.bias)
        return sum(t.numel() * t.element_size() for t in (*parts, *heads))

    @property
    def slots_left(self) -> int:
        return len(self._free_slots)

    @property
    def rows_left(self) -> int:
        return self._rows_left

    def fits(self, labels: int, without: Sequence[int] = ()) -> bool:
        """Whether an adapter with that many labels could be put once slots `without` are free."""
        rows = self._rows_left + sum(len(self._head_of[slot]) for slot in without)
        return bool(self._free_slots or without) and rows >= labels

    def head_rows(self, slot: int) -> NDArray[np.int64]:
        """(C,) pool rows of the head in `slot`."""
        return self._head_of[slot]

    def check(self, adapter: AdapterWeights) -> None:
        """BadInput if the adapter can never fit, however empty the arena."""
        have, want = adapter.shape, self.shape
        if (have.layers, have.hidden) != (want.layers, want.hidden) or have.rank > want.rank:
            raise BadInput(
                f"The adapter is made for {have.layers} upper layers of {have.hidden} at rank "
                f"{have.rank}; this engine's slots take {want.layers} of {want.hidden} up to rank "
                f"{want.rank}.",
                remedy="Train the vPLM again on this backbone.",
                code="adapter_mismatch",
            )

    def put(self, adapter: AdapterWeights) -> int:
        """Copy an adapter in; its slot. Unavailable if full, BadInput if it can never fit."""
        self.check(adapter)
        slot = self.reserve(adapter.labels)
        self.fill(slot, adapter)
        return slot

    def reserve(self, labels: int) -> int:
        """A slot with that many head rows, whose content is not of this world until `fill`.
        Unavailable if full."""
        if not self.fits(labels):
            raise Unavailable("The device arena has no free slot.", code="arena_full")
        slot = self._free_slots.pop()
        self._rows_left -= labels
        self._head_of[slot] = self._free_rows[self._rows_left : self._rows_left + labels].copy()
        return slot

    def fill(self, slot: int, adapter: AdapterWeights) -> None:
        """Copy an adapter into a slot reserved for it. It touches nothing but that slot and its
        rows, so it needs no lock beside other slots' fills and reads.

        On CUDA this returns before the copies are done: `transfer.arrival()` says when.
        """
        with self.transfer.bring(adapter) as here:
            self._copy(slot, self._head_of[slot], here)

    def remove(self, slot: int) -> None:
        """Free a slot and its head's rows. Its old content is never read again."""
        rows = self._head_of.pop(slot)
        self._free_rows[self._rows_left : self._rows_left + len(rows)] = rows
        self._rows_left += len(rows)
        self._free_slots.append(slot)

    def _copy(self, slot: int, rows: NDArray[np.int64], adapter: AdapterWeights) -> None:
        w, rank = self.weights, adapter.shape.rank
        if rank < self.shape.rank:
            for tensor in (w.down, w.down_bias, w.up):
                tensor[:, slot].zero_()
        w.down[:, slot, :, :rank].copy_(self._cast(adapter.down.flatten(0, 1)))
        w.down_bias[:, slot, :rank].copy_(adapter.down_bias.flatten(0, 1))
        w.up[:, slot, :rank].copy_(self._cast(adapter.up.flatten(0, 1)))
        w.up_bias[:, slot].copy_(adapter.up_bias.flatten(0, 1))
        at_rows = torch.from_numpy(rows).to(self.device)
        weight, bias = adapter.served_head()
        self.heads.weight[at_rows] = weight.to(self.device)
        self.heads.bias[at_rows] = bias.to(self.device)

    def _cast(self, tensor: torch.Tensor) -> torch.Tensor:
        # On the CPU float16 to bfloat16 takes three times as long in one step as in two.
        slow = self.dtype == torch.bfloat16 and self.device.type == "cpu"
        return tensor.float() if slow else tensor
