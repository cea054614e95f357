"""The transformer layer of the BERT family as plain weights and one function.

Kept apart from transformers' modules so that adapters, packing and the split at layer k have their
place inside; parity with transformers is a test (float32, 1e-5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.packing import Packing

Place = Callable[[Tensor, int, str], Tensor]
"""An adapter at work: (hidden (T, H), layer, "attention" | "feed_forward") -> (T, H)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a backbone; `layers` is L, `hidden` H."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    positions: int
    eps: float

    @property
    def head_width(self) -> int:
        return self.hidden // self.heads


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """One layer. Weights are (out, in) as torch.nn.Linear keeps them; `qkv` is fused (3H, H)."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    norm1: Tensor
    norm1_bias: Tensor
    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor
    norm2: Tensor
    norm2_bias: Tensor

    def to(self, device: torch.device | str, dtype: torch.dtype) -> LayerWeights:
        moved = {f.name: getattr(self, f.name).to(device, dtype) for f in fields(self)}
        return LayerWeights(**moved)

    def tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def trimmed(self, width: int) -> LayerWeights:
        """The same layer with only the `width` feed-forward neurons of the largest weights."""
        if width >= self.up.shape[0]:
            return self
        weight = self.up.norm(dim=1) * self.down.norm(dim=0)
        kept = weight.topk(width).indices.sort().values
        return replace(self, up=self.up[kept], up_bias=self.up_bias[kept], down=self.down[:, kept])

    def trainable(self) -> nn.ParameterDict:
        """A float32 copy that learns; `of` reads it back."""
        return nn.ParameterDict(
            {name: nn.Parameter(t.detach().float().clone()) for name, t in self.tensors().items()}
        )

    @classmethod
    def of(cls, block: nn.Module) -> LayerWeights:
        """What a `trainable` copy holds now."""
        assert isinstance(block, nn.ParameterDict)
        return cls(**dict(block.items()))

    @classmethod
    def from_bert(cls, state: Mapping[str, Tensor], layer: int) -> LayerWeights:
        """Layer `layer` out of a BERT state dict of transformers."""
        at = f"encoder.layer.{layer}."

        def pair(name: str) -> tuple[Tensor, Tensor]:
            return state[f"{at}{name}.weight"], state[f"{at}{name}.bias"]

        parts = [pair(f"attention.self.{name}") for name in ("query", "key", "value")]
        return cls(
            torch.cat([weight for weight, _ in parts]),
            torch.cat([bias for _, bias in parts]),
            *pair("attention.output.dense"),
            *pair("attention.output.LayerNorm"),
            *pair("intermediate.dense"),
            *pair("output.dense"),
            *pair("output.LayerNorm"),
        )


def attend(w: LayerWeights, x: Tensor, packing: Packing, heads: int) -> Tensor:
    """Self-attention inside each row, with its output projection: (T, H) -> (T, H)."""
    qkv = F.linear(x, w.qkv, w.qkv_bias).view(packing.total, 3, heads, -1)
    in_turn = x.device.type == "cpu" and not packing.even
    mixed = mix_in_turn(qkv, packing) if in_turn else mix_padded(qkv, packing)
    return F.linear(mixed.flatten(1), w.out, w.out_bias)


def mix_in_turn(qkv: Tensor, packing: Packing) -> Tensor:
    """What each token hears in its row, row after row: (T, 3, heads, d) -> (T, heads, d)."""
    q, k, v = qkv.permute(1, 2, 0, 3)[:, None].unbind(0)
    sizes = list(packing.sizes)
    rows = zip(*(torch.split(each, sizes, dim=2) for each in (q, k, v)), strict=True)
    return torch.cat([F.scaled_dot_product_attention(*row)[0].transpose(0, 1) for row in rows])


def mix_padded(qkv: Tensor, packing: Packing) -> Tensor:
    """The same in one call, the rows padded to the longest."""
    q, k, v = packing.pad(qkv).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=packing.mask)
    return packing.pack(mixed.transpose(1, 2))


def run_layer(
    w: LayerWeights,
    x: Tensor,
    packing: Packing,
    shape: Shape,
    layer: int = 0,
    adapt: Place | None = None,
) -> Tensor:
    """One post-norm layer on packed tokens: (T, H) -> (T, H)."""
    a = attend(w, x, packing, shape.heads)
    if adapt is not None:
        a = adapt(a, layer, "attention")
    x = F.layer_norm(x + a, (shape.hidden,), w.norm1, w.norm1_bias, shape.eps)
    h = F.linear(F.gelu(F.linear(x, w.up, w.up_bias)), w.down, w.down_bias)
    if adapt is not None:
        h = adapt(h, layer, "feed_forward")
    return F.layer_norm(x + h, (shape.hidden,), w.norm2, w.norm2_bias, shape.eps)
