"""The transformer layer of both families as plain weights and one function.

The BERT family hears both sides and normalises after each half of a layer; the GPT-2 family hears
what came before and normalises first. Kept apart from transformers' modules so that adapters,
packing, a cache and the split at layer k have their place inside; parity with transformers is a
test (float32, 1e-5).
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

Mix = Callable[[Tensor], Tensor]
"""What each token hears: queries, keys and values (T, 3, heads, d) -> (T, heads, d)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a backbone; `layers` is L, `hidden` H. `causal` tells the GPT-2 family."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    positions: int
    eps: float
    causal: bool = False

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
        """Layer `layer` out of the state dict of transformers' BertModel."""
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

    @classmethod
    def from_gpt2(cls, state: Mapping[str, Tensor], layer: int) -> LayerWeights:
        """Layer `layer` out of the state dict of transformers' GPT2Model, weights (in, out)."""
        at = f"h.{layer}."

        def turned(name: str) -> tuple[Tensor, Tensor]:
            return state[f"{at}{name}.weight"].t().contiguous(), state[f"{at}{name}.bias"]

        def norm(name: str) -> tuple[Tensor, Tensor]:
            return state[f"{at}{name}.weight"], state[f"{at}{name}.bias"]

        return cls(
            *turned("attn.c_attn"),
            *turned("attn.c_proj"),
            *norm("ln_1"),
            *turned("mlp.c_fc"),
            *turned("mlp.c_proj"),
            *norm("ln_2"),
        )


def project(w: LayerWeights, x: Tensor, shape: Shape, start: int = 0) -> Tensor:
    """Queries, keys and values (*, 3H) of (*, H), or those of them from column `start` on."""
    if shape.causal:
        x = F.layer_norm(x, (shape.hidden,), w.norm1, w.norm1_bias, shape.eps)
    return F.linear(x, w.qkv[start:], w.qkv_bias[start:])


_MOST_PADDING = 2.0
"""Places for a token above which padding rows costs more than it saves."""


def mix_rows(qkv: Tensor, packing: Packing, *, causal: bool = False) -> Tensor:
    """What each token hears in its own row: (T, 3, heads, d) -> (T, heads, d)."""
    on_cpu = qkv.device.type == "cpu"
    learns = on_cpu and not causal and qkv.requires_grad and qkv.dtype == torch.bfloat16
    if learns and packing.rows * packing.longest <= _MOST_PADDING * packing.total:
        # The fused kernel's backward pass takes several times as long in this dtype.
        return mix_plainly(qkv, packing)
    in_turn = on_cpu and not packing.even
    return (mix_in_turn if in_turn else mix_padded)(qkv, packing, causal=causal)


def mix_in_turn(qkv: Tensor, packing: Packing, *, causal: bool = False) -> Tensor:
    """Row after row."""
    q, k, v = qkv.permute(1, 2, 0, 3)[:, None].unbind(0)
    sizes = list(packing.sizes)
    parts = zip(*(torch.split(each, sizes, dim=2) for each in (q, k, v)), strict=True)
    rows = [F.scaled_dot_product_attention(q, k, v, is_causal=causal)[0] for q, k, v in parts]
    return torch.cat([row.transpose(0, 1) for row in rows])


def mix_padded(qkv: Tensor, packing: Packing, *, causal: bool = False) -> Tensor:
    """The same in one call, the rows padded to the longest."""
    q, k, v = packing.pad(qkv).permute(2, 0, 3, 1, 4)
    # Padding stands at the end, where a causal row does not look.
    mask = None if causal else packing.mask
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
    return packing.pack(mixed.transpose(1, 2))


def mix_plainly(qkv: Tensor, packing: Packing) -> Tensor:
    """The same as products of matrices, for learning."""
    q, k, v = packing.pad(qkv).permute(2, 0, 3, 1, 4)
    heard = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if packing.mask is not None:
        heard = heard.masked_fill(~packing.mask, -torch.inf)
    return packing.pack((heard.softmax(-1) @ v).transpose(1, 2))


def finish(
    w: LayerWeights,
    x: Tensor,
    mixed: Tensor,
    shape: Shape,
    layer: int = 0,
    adapt: Place | None = None,
) -> Tensor:
    """What follows attention in a layer: its input (*, H) and what was heard (*, H) -> (*, H).

    In the weights' dtype, whatever comes in.
    """
    width, dtype = (shape.hidden,), w.out.dtype
    a = F.linear(mixed.to(dtype), w.out, w.out_bias)
    if adapt is not None:
        a = adapt(a, layer, "attention")
    x = x.to(dtype) + a
    if shape.causal:
        inner = F.layer_norm(x, width, w.norm2, w.norm2_bias, shape.eps)
    else:
        x = inner = F.layer_norm(x, width, w.norm1, w.norm1_bias, shape.eps)
    form = "tanh" if shape.causal else "none"
    h = F.linear(F.gelu(F.linear(inner, w.up, w.up_bias), approximate=form), w.down, w.down_bias)
    if adapt is not None:
        h = adapt(h, layer, "feed_forward")
    x = x + h
    return x if shape.causal else F.layer_norm(x, width, w.norm2, w.norm2_bias, shape.eps)


def apply_layer(
    w: LayerWeights,
    x: Tensor,
    mix: Mix,
    shape: Shape,
    layer: int = 0,
    adapt: Place | None = None,
) -> Tensor:
    """One layer on packed tokens that hear each other by `mix`: (T, H) -> (T, H)."""
    qkv = project(w, x, shape).view(x.shape[0], 3, shape.heads, -1)
    return finish(w, x, mix(qkv).flatten(1), shape, layer, adapt)


def run_layer(
    w: LayerWeights,
    x: Tensor,
    packing: Packing,
    shape: Shape,
    layer: int = 0,
    adapt: Place | None = None,
) -> Tensor:
    """One layer on packed rows, each a whole text: (T, H) -> (T, H)."""

    def mix(qkv: Tensor) -> Tensor:
        return mix_rows(qkv, packing, causal=shape.causal)

    return apply_layer(w, x, mix, shape, layer, adapt)
