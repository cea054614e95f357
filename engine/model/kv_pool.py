"""Room for the keys and values of sequences: pages of a few tokens of one layer, under a budget.

A sequence leases pages for each layer that keeps a cache: in plot mode the bridge's and the upper
ones, in exact mode all. It gets a run of neighbouring pages where there is one, for then attention
reads them where they lie. (Paging: Kwon et al., 2023.)
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import BadInput
from engine.model.layers import Shape

PAGE = 16
"""Tokens of one layer in a page."""

Pages = NDArray[np.int64]


class Lease:
    """The pages of one sequence: `table` (layers, blocks), the page of each run of PAGE tokens."""

    __slots__ = ("_together", "table")

    def __init__(self, table: Pages) -> None:
        self.table = table
        self._together = _neighbours(table)

    @property
    def layers(self) -> int:
        return int(self.table.shape[0])

    @property
    def tokens(self) -> int:
        """How many there is room for."""
        return int(self.table.shape[1]) * PAGE

    def start(self, layer: int) -> int | None:
        """The place of the first token of a layer whose pages are neighbours, else None."""
        return int(self.table[layer, 0]) * PAGE if self._together[layer] else None

    def places(self, first: int, end: int) -> Pages:
        """(layers, N) places in the pool of the tokens `first` to `end`."""
        tokens = np.arange(first, end)
        return self.table[:, tokens // PAGE] * PAGE + tokens % PAGE

    def extend(self, pages: Pages) -> None:
        """Room for more tokens: `pages` (layers, blocks)."""
        self.table = np.concatenate([self.table, pages], axis=1)
        self._together = _neighbours(self.table)

    def give_up(self) -> Pages:
        """All of its pages; it has none from now on."""
        pages = self.table.ravel()
        self.table = self.table[:, :0]
        self._together = _neighbours(self.table)
        return pages


def _zeros(sizes: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Zeros, for what is masked must still be a number; on the host untouched, so that they take
    no memory yet."""
    if device.type != "cpu":
        return torch.zeros(sizes, device=device, dtype=dtype)
    whole = np.zeros(int(np.prod(sizes)) * dtype.itemsize, dtype=np.uint8)
    return torch.from_numpy(whole).view(dtype).view(sizes)


def _neighbours(table: Pages) -> list[bool]:
    if not table.shape[1]:
        return [False] * table.shape[0]
    together: list[bool] = (np.diff(table, axis=1) == 1).all(axis=1).tolist()
    return together


class KvPool:
    """Not thread-safe: whoever forms the batches owns it.

    Its memory is taken from the system as pages are first written.
    """

    def __init__(
        self,
        budget: int,
        shape: Shape,
        device: torch.device | str = "cpu",
        dtype: torch.dtype | None = None,
    ) -> None:
        """As many pages as `budget` bytes hold; BadInput if that is not one.

        `dtype` is float32 on the CPU if none is given, where attention to one token in bfloat16
        takes several times as long; else bfloat16.
        """
        place = torch.device(device)
        if dtype is None:
            dtype = torch.float32 if place.type == "cpu" else torch.bfloat16
        self._hidden = shape.hidden
        self.dtype = dtype
        self.pages = budget // self.page_bytes
        if self.pages < 1:
            raise BadInput(
                f"A cache of {budget:,} bytes does not hold one page of {PAGE} tokens, which takes "
                f"{self.page_bytes:,}.",
                remedy="Give the generators' cache more room.",
                code="cache_too_small",
            )
        self.store = _zeros((self.pages * PAGE, 2, shape.heads, shape.head_width), place, dtype)
        """(places, 2, heads, d): each token's key and value."""
        self._free = np.ones(self.pages, dtype=np.bool_)
        self.free_pages = self.pages

    @property
    def page_bytes(self) -> int:
        return 2 * PAGE * self._hidden * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The budget, as far as whole pages use it."""
        return self.pages * self.page_bytes

    @property
    def used_bytes(self) -> int:
        return (self.pages - self.free_pages) * self.page_bytes

    def need(self, layers: int, tokens: int) -> int:
        """Pages that a sequence of `tokens` takes in that many caching layers."""
        return layers * -(-tokens // PAGE)

    def admit(self, layers: int, tokens: int) -> Lease | None:
        """Room for a sequence of at most `tokens`, or None: wait until others are done.

        BadInput if it would not fit the empty pool.
        """
        needed = self.need(layers, tokens)
        if needed > self.pages:
            raise BadInput(
                f"A text of {tokens:,} tokens needs {needed * self.page_bytes:,} bytes of the "
                f"generators' cache, which has {self.nbytes:,}.",
                remedy="Ask for fewer tokens, or give the cache more room.",
                code="cache_too_small",
            )
        if needed > self.free_pages:
            return None
        return Lease(self._take(layers, needed // layers))

    def grow(self, lease: Lease, tokens: int) -> bool:
        """Make room for `tokens` in all; False, and nothing changed, if there is none now."""
        blocks = -(-(tokens - lease.tokens) // PAGE)
        if blocks <= 0:
            return True
        if blocks * lease.layers > self.free_pages:
            return False
        lease.extend(self._take(lease.layers, blocks, lease.table[:, -1] + 1))
        return True

    def free(self, lease: Lease) -> None:
        """The sequence is done; a lease that has been freed has nothing to free."""
        pages = lease.give_up()
        self._free[pages] = True
        self.free_pages += len(pages)

    def _take(self, layers: int, blocks: int, wanted: Pages | None = None) -> Pages:
        """(layers, blocks) free pages, each layer's in one run from page `wanted` (layers,), or
        from anywhere, if that can be."""
        taken = np.empty((layers, blocks), dtype=np.int64)
        for layer in range(layers):
            first = None if wanted is None else self._run_from(int(wanted[layer]), blocks)
            if first is None:
                first = self._run(blocks)
            if first is None:
                pages = np.flatnonzero(self._free)[:blocks]
            else:
                pages = np.arange(first, first + blocks)
            taken[layer] = pages
            self._free[pages] = False
        self.free_pages -= taken.size
        return taken

    def _run_from(self, first: int, blocks: int) -> int | None:
        there = self._free[first : first + blocks]
        return first if len(there) == blocks and there.all() else None

    def _run(self, blocks: int) -> int | None:
        """The first of the lowest `blocks` free neighbours."""
        edges = np.flatnonzero(np.diff(self._free, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        long = np.flatnonzero(ends - starts >= blocks)
        return int(starts[long[0]]) if len(long) else None
