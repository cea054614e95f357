"""How well a decoder foretells a text: the mean loss of its tokens, and what it is the log of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engine.model.decoder import Decoder
from engine.model.layers import Place
from engine.model.packing import Packing

States = Callable[[NDArray[np.int64], Packing], Tensor]
"""Layer k of packed token ids: (T,) -> (T, H)."""

_BATCH = 4096
_CHUNK = 1 << 24
"""Logits that are there at once: a vocabulary is wide, and a step may be thousands of tokens."""


def token_losses(decoder: Decoder, states: Tensor, tokens: Tensor) -> Tensor:
    """The loss in nats (N,) of each token (N,) that the last layer's state (N, H) foretells.

    Logits are made a part at a time, and again for the gradient, rather than kept.
    """

    def losses(x: Tensor, wanted: Tensor) -> Tensor:
        return F.cross_entropy(decoder.logits(x), wanted, reduction="none")

    size = max(1, _CHUNK // decoder.shape.vocab)
    if len(tokens) <= size:
        return losses(states, tokens)
    parts = zip(states.split(size), tokens.split(size), strict=True)  # type: ignore[no-untyped-call]
    if not torch.is_grad_enabled():
        return torch.cat([losses(*part) for part in parts])
    return torch.cat([checkpoint(losses, *part, use_reentrant=False) for part in parts])


def next_token_loss(decoder: Decoder, top: Tensor, ids: Tensor, packing: Packing) -> Tensor:
    """The loss in nats of every token but each row's first: the last layer's (T, H) and the token
    ids (T,) -> (T - B,). Rows belong to texts of their own."""
    ends = torch.cumsum(packing.lengths, 0) - 1
    told = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    told[ends] = False
    wanted = torch.roll(ids, -1)[told]
    return token_losses(decoder, top[told], wanted)


@torch.no_grad()
def perplexity_of(
    decoder: Decoder,
    rows: list[list[int]],
    states: States | None = None,
    adapt: Place | None = None,
) -> float:
    """Of token `rows`, each read on its own; by the exact lower layers if no `states` are given.
    Rows of one token say nothing; infinite if there are no others."""
    loss, tokens = 0.0, 0
    for part in _batches([row for row in rows if len(row) > 1]):
        packing = Packing.of([len(row) for row in part], decoder.device)
        ids = np.fromiter((t for row in part for t in row), np.int64, packing.total)
        placed = torch.from_numpy(ids).to(decoder.device)
        x = decoder.lower(placed, packing) if states is None else states(ids, packing)
        top = decoder.upper(x.to(decoder.dtype), packing, adapt)
        losses = next_token_loss(decoder, top, placed, packing)
        loss += float(losses.double().sum())
        tokens += len(losses)
    return math.exp(loss / tokens) if tokens else math.inf


def _batches(rows: list[list[int]]) -> Iterator[list[list[int]]]:
    part: list[list[int]] = []
    size = 0
    for row in rows:
        if part and size + len(row) > _BATCH:
            yield part
            part, size = [], 0
        part.append(row)
        size += len(row)
    if part:
        yield part
