"""Attention of new tokens to those that a pool holds, for many sequences in one batch.

A sequence brings one new token (a decode step) or several (a chunk of its prompt). Steps are taken
at once, their pages gathered and padded: the copy costs less than a call for each (a third of it,
for 16 sequences on a CPU). Chunks on the CPU read their keys where they lie, one sequence after the
other; on a device, where a launch costs more than the padding, they are gathered too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.kv_pool import PAGE, KvPool, Lease
from engine.model.layers import Mix
from engine.model.packing import Packing


class CachedRows:
    """B sequences with `done` tokens each in the cache and `counts` new ones, packed (T,).

    Their leases must have room for all of them. A layer of a lease is named by its place from the
    front or, negative, from the end, so that sequences with different lower layers share upper
    ones. With `places` there are that many packed places; the rest belong to nobody.
    """

    def __init__(
        self,
        pool: KvPool,
        leases: Sequence[Lease],
        done: Sequence[int],
        counts: Sequence[int],
        *,
        places: int | None = None,
        in_turn: bool | None = None,
    ) -> None:
        """`in_turn` says how to attend, for all of them; by default each as the device likes it."""
        self._pool, self._leases = pool, leases
        self._counts = list(counts)
        self._ends = [before + new for before, new in zip(done, counts, strict=True)]
        device = pool.store.device
        chunks = device.type == "cpu" if in_turn is None else in_turn
        steps = False if in_turn is None else in_turn
        self._in_turn = [steps if count == 1 else chunks for count in counts]
        self._total = sum(counts)
        spare = 0 if places is None else places - self._total
        self.packing = Packing.of([*counts, *[spare] * (spare > 0)], device)
        """The new tokens, with a last row for the places that belong to nobody."""
        position = np.zeros(self._total + spare, dtype=np.int64)
        written: list[np.ndarray[tuple[int, int], np.dtype[np.int64]]] = []
        at = 0
        for lease, before, end in zip(leases, done, self._ends, strict=True):
            position[at : at + end - before] = np.arange(before, end)
            at += end - before
            written.append(lease.places(before, end))
        self.position = torch.from_numpy(position).to(device)
        """(T,) of each new token in its sequence."""
        self._written = written

    def mix(self, layer: int) -> Mix:
        """Store the new keys and values as that layer's, and attend to all so far."""

        def attend(qkv: Tensor) -> Tensor:
            pool = self._pool
            new = qkv[: self._total].to(pool.dtype)
            pool.store.index_copy_(0, self._places(layer), new[:, 1:])
            queries = new[:, 0]
            if not any(self._in_turn):
                mixed = self._at_once(queries, layer)
            else:
                mixed = torch.empty_like(queries)
                self._turns(queries, layer, mixed)
                if not all(self._in_turn):
                    places = self._gathered_places
                    mixed.index_copy_(0, places, self._at_once(queries[places], layer))
            return F.pad(mixed, (0, 0, 0, 0, 0, len(qkv) - self._total))

        return attend

    def _places(self, layer: int) -> Tensor:
        found = np.concatenate([each[layer] for each in self._written])
        return torch.from_numpy(found).to(self._pool.store.device)

    def _turns(self, queries: Tensor, layer: int, heard: Tensor) -> None:
        """Queries (T, heads, d) of one sequence after the other, those that go in turn."""
        at = 0
        for lease, new, end, in_turn in zip(
            self._leases, self._counts, self._ends, self._in_turn, strict=True
        ):
            if not in_turn:
                at += new
                continue
            k, v = self._read(lease, layer, end).permute(1, 2, 0, 3)[:, None].unbind(0)
            q = queries[at : at + new].transpose(0, 1)[None]
            whole = new == end
            mask = None if whole or new == 1 else _staircase(new, end, queries.device)
            found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=whole)
            heard[at : at + new] = found[0].transpose(0, 1)
            at += new

    def _read(self, lease: Lease, layer: int, end: int) -> Tensor:
        """(end, 2, heads, d): keys and values so far."""
        store = self._pool.store
        start = lease.start(layer)
        if start is not None:
            return store[start : start + end]
        pages = torch.from_numpy(lease.table[layer, : -(-end // PAGE)])
        paged = store.view(-1, PAGE * store[0].numel()).index_select(0, pages)
        return paged.view(-1, *store.shape[1:])[:end]

    def _at_once(self, queries: Tensor, layer: int) -> Tensor:
        """The queries of all that are gathered."""
        own, table, mask = self._gathering
        store = self._pool.store
        rows, blocks = own.rows, table.shape[-1]
        paged = store.view(-1, PAGE * store[0].numel()).index_select(0, table[layer].flatten())
        k, v = paged.view(rows, blocks * PAGE, *store.shape[1:]).permute(2, 0, 3, 1, 4).unbind(0)
        q = own.pad(queries).transpose(1, 2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return own.pack(mixed.transpose(1, 2))

    @cached_property
    def _gathered_places(self) -> Tensor:
        """The packed places of those that are gathered."""
        gathered = np.repeat(np.logical_not(self._in_turn), self._counts)
        return torch.from_numpy(np.flatnonzero(gathered)).to(self._pool.store.device)

    @cached_property
    def _gathering(self) -> tuple[Packing, Tensor, Tensor]:
        """Of those that are gathered: their packing, their page tables, padded
        (layers, B, blocks), and who sees what (B, 1, new, blocks * PAGE).

        Leases of different modes are aligned at their last layer.
        """
        device = self._pool.store.device
        which = [i for i, in_turn in enumerate(self._in_turn) if not in_turn]
        leases = [self._leases[i] for i in which]
        counts, ends = ([each[i] for i in which] for each in (self._counts, self._ends))
        layers = max(lease.layers for lease in leases)
        blocks = -(-max(ends) // PAGE)
        table = np.zeros((layers, len(which), blocks), dtype=np.int64)
        for i, (lease, end) in enumerate(zip(leases, ends, strict=True)):
            used = -(-end // PAGE)
            table[layers - lease.layers :, i, :used] = lease.table[:, :used]
        keys = torch.arange(blocks * PAGE, device=device)
        first = torch.tensor(ends, device=device) - torch.tensor(counts, device=device)
        places = first[:, None] + torch.arange(max(counts), device=device)
        mask = (keys <= places[..., None])[:, None]
        return Packing.of(counts, device), torch.from_numpy(table).to(device), mask


def _staircase(new: int, end: int, device: torch.device) -> Tensor:
    """(new, end): each new token sees what came before it, and itself."""
    return torch.ones(new, end, dtype=torch.bool, device=device).tril(end - new)
