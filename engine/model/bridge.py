"""The bridge: from rows of single n-grams to the hidden state of layer k.

Position enters here, and so does everything beyond three tokens: a few of the backbone's own
layers, their feed-forwards cut down to the neurons that matter, trained with the encoder below
them. Who shares the encoder shares the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.cached import CachedRows
from engine.model.layers import LayerWeights, apply_layer, run_layer
from engine.model.packing import Packing
from engine.model.rows import decode_rows
from engine.model.weights import fingerprint_of, load_weights


class Bridge(nn.Module):
    """Trainable; `widths` are the feed-forward widths of its layers."""

    second: Tensor | None

    def __init__(self, backbone: Backbone, widths: tuple[int, ...] | None = None) -> None:
        """Start from the last of the lower layers; one layer, its feed-forward halved, if no
        `widths` are given, and none, but for the positions, if they are empty."""
        super().__init__()
        shape = backbone.shape
        self.shape = shape
        self.dtype = backbone.dtype
        self._cast: list[LayerWeights] | None = None
        self.widths = (shape.intermediate // 2,) if widths is None else widths
        first = backbone.split - len(self.widths)
        before = backbone.layers[max(first - 1, 0)]
        position = torch.zeros(shape.positions, shape.hidden)
        norm: tuple[Tensor, Tensor] | None = before.norm2, before.norm2_bias
        e = backbone.embeddings
        if shape.causal:
            # The sum that goes through a decoder's layers still has its first positions in it.
            known = e.position.float()
            position, norm = known - known.mean(0), None
        self.position = nn.Parameter(position)
        self.norm = None if norm is None else nn.Parameter(norm[0].float().clone())
        self.norm_bias = None if norm is None else nn.Parameter(norm[1].float().clone())
        # Not trained and not in the file: what the backbone itself adds to a pair's second text.
        paired = None if e.second is None or e.segment is None else (e.second - e.segment).float()
        self.register_buffer("second", paired, persistent=False)
        self.blocks = nn.ModuleList(
            layer.trimmed(width).trainable()
            for layer, width in zip(
                backbone.layers[first : backbone.split], self.widths, strict=True
            )
        )

    def forward(self, rows: Tensor, packing: Packing) -> Tensor:
        """Each token's row (T, H) float32 -> the hidden state of layer k (T, H) float32, with
        gradients."""
        x = self._placed(rows, packing.position, packing.segment)
        for block in self.blocks:
            x = run_layer(LayerWeights.of(block), x, packing, self.shape)
        return x

    def assemble(self, rows: Tensor, which: Tensor, packing: Packing) -> Tensor:
        """Stored rows (U, H + 4) int8 and each token's row number (T,) -> layer k (T, H), computed
        in the backbone's dtype. The weights must not change any more (`freeze`)."""
        placed = decode_rows(rows).index_select(0, which)
        x = self._placed(placed, packing.position, packing.segment)
        x = x.to(self.dtype)
        for weights in self._served():
            x = run_layer(weights, x, packing, self.shape)
        return x

    def assemble_on(self, rows: Tensor, which: Tensor, cached: CachedRows) -> Tensor:
        """The same of new tokens alone, which hear the earlier ones through the pool; its layers
        are the first of their leases."""
        x = self._placed(decode_rows(rows).index_select(0, which), cached.position)
        x = x.to(self.dtype)
        for layer, weights in enumerate(self._served()):
            x = apply_layer(weights, x, cached.mix(layer), self.shape)
        return x

    def _placed(self, rows: Tensor, position: Tensor, segment: Tensor | None = None) -> Tensor:
        x = rows + self.position.index_select(0, position)
        if segment is not None and self.second is not None:
            x = x + segment[:, None] * self.second
        if self.norm is None:
            return x
        return F.layer_norm(x, (self.shape.hidden,), self.norm, self.norm_bias, self.shape.eps)

    def _served(self) -> list[LayerWeights]:
        """The layers in the backbone's dtype, where the module is now."""
        device = self.position.device
        if self._cast is None or any(w.out.device != device for w in self._cast):
            self._cast = [LayerWeights.of(b).to(device, self.dtype) for b in self.blocks]
        return self._cast

    def freeze(self) -> Bridge:
        """Training is over; returns itself."""
        self._cast = None
        return self.eval().requires_grad_(requires_grad=False)

    def fingerprint(self) -> str:
        """Sha256 of the weights as files keep them: an encoder is trained below one bridge."""
        return fingerprint_of(self, self.widths, torch.float16)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take weights of `state_dict`'s names and shapes (any float dtype); Damaged otherwise."""
        load_weights(self, tensors, "bridge")
        self._cast = None
