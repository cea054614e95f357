"""What a token alone brings to any n-gram, kept by token id.

For each layer of an n-gram encoder: the keys and values a token shows when it stands left or right
of the centre, and at the first layer, where the centre has heard nobody yet, its query, key and
value too. Filled when a token is first met, in float16; a vocabulary of 30,000 tokens and H = 384
makes 164 MB for the first layer if every word turns up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.layers import finish, project
from engine.model.steady import height, is_steady

if TYPE_CHECKING:
    from engine.model.ngram_encoder import NgramEncoder


class TokenProjections:
    """Belongs to one encoder whose weights no longer change.

    Two threads may meet the same token: both write the same numbers.
    """

    def __init__(self, encoder: NgramEncoder) -> None:
        self._encoder = encoder
        self._hidden = encoder.shape.hidden
        device = encoder.edge.device
        tokens = encoder.boundary + 1
        self.steady = is_steady(self._everything, self._hidden, device)
        """Whether rows of this encoder may be computed at any of `steady.height`'s heights."""
        self._known = torch.zeros(tokens, dtype=torch.bool, device=device)
        # Untouched pages of an empty tensor take no memory on the host.
        self._layers = [
            torch.empty(
                tokens, (7 if depth == 0 else 4) * self._hidden, dtype=torch.float16, device=device
            )
            for depth in range(len(encoder.blocks))
        ]

    @property
    def nbytes(self) -> int:
        """Of the tokens met so far."""
        return int(self._known.sum()) * sum(t.shape[1] * t.element_size() for t in self._layers)

    def take(self, tokens: Tensor, depth: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Of (N, 3) token ids at layer `depth`: left's (N, 2H), right's (N, 2H), the centre's
        (N, 3H) at the first layer, else None; float32."""
        if depth == 0:
            self._learn(tokens)
        table, wide = self._layers[depth], 2 * self._hidden
        # index_select copies whole rows, where indexing goes number by number.
        left = table[:, :wide].index_select(0, tokens[:, 0]).float()
        right = table[:, wide : 2 * wide].index_select(0, tokens[:, 2]).float()
        if depth > 0:
            return left, right, None
        return left, right, table[:, 2 * wide :].index_select(0, tokens[:, 1]).float()

    def _learn(self, tokens: Tensor) -> None:
        distinct = torch.unique(tokens)
        new = distinct[~self._known[distinct]]
        start = 0
        while start < new.shape[0]:
            high = height(new.shape[0] - start, is_steady=self.steady)
            part = new[start : start + high]
            size = part.shape[0]
            part = F.pad(part, (0, high - size))
            start += size
            for table, values in zip(self._layers, self._project(part), strict=True):
                table[part[:size]] = values[:size].half()
            self._known[part[:size]] = True

    def _everything(self, x: Tensor) -> Tensor:
        """Every product that a row goes through, one after the other."""
        for w in self._encoder.served():
            x = x.to(w.qkv.dtype)
            heard = project(w, x, self._encoder.shape)[:, : self._hidden]
            x = finish(w, x, heard, self._encoder.shape)
        return x

    def _project(self, tokens: Tensor) -> list[Tensor]:
        """For each layer (N, 7H) or (N, 4H): left's key and value, right's, the centre's all."""
        encoder, hidden = self._encoder, self._hidden
        left, right = encoder.embed(tokens, 0), encoder.embed(tokens, 2)
        found: list[Tensor] = []
        for depth, w in enumerate(encoder.layers()):
            told = [project(w, x, encoder.shape, hidden) for x in (left, right)]
            own = []
            if depth == 0:
                own = [project(w, encoder.embed(tokens, 1), encoder.shape)]
            found.append(torch.cat([*told, *own], dim=1))
            if depth + 1 < len(self._layers):
                left, right = (
                    finish(w, x, each[:, hidden:], encoder.shape)
                    for x, each in zip((left, right), told, strict=True)
                )
        return found
