"""The n-gram encoder: what the lower layers would say, from three tokens alone.

The published form (SkipBERT, ACL 2022): the trigram runs through k transformer layers as a
sequence of length 3, a sigmoid gate weighs each slot, and (3, H) is stored. Token i of a text sums
its slot in the three trigrams that contain it; then position is added and the sum normalised.
Two departures: a boundary is a learned token of its own, and absent slots are masked out instead
of attending to [PAD].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.errors import Damaged
from engine.model.backbone import Backbone
from engine.model.layers import LayerWeights, Shape
from engine.model.ngrams import ABSENT, SLOTS
from engine.model.packing import Packing

FORM = "skipbert-gate"
ROW_DTYPE = torch.float16
CHUNK = 64
"""N-grams computed per call. The number is fixed because a matrix product may round differently
for other heights, and a computed miss must equal a stored row to the last bit."""


@dataclass(frozen=True, slots=True)
class EncoderForm:
    """What an encoder's weights need to be used: its form, depth k and the backbone's shape."""

    form: str
    layers: int
    hidden: int
    backbone_sha256: str


class NgramEncoder(nn.Module):
    """Trainable; the word vectors stay the backbone's own and are not part of its state."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        shape, e = backbone.shape, backbone.embeddings
        self.shape: Shape = shape
        self.depth = backbone.split
        self.boundary = shape.vocab
        self.form = EncoderForm(FORM, self.depth, shape.hidden, backbone.checkpoint.sha256)
        self.word = e.word.float()
        self.edge = nn.Parameter(e.word.float().mean(0))
        self.place = nn.Parameter((e.position[:SLOTS] + e.segment).float().clone())
        self.norm = nn.Parameter(e.norm.float().clone())
        self.norm_bias = nn.Parameter(e.norm_bias.float().clone())
        self.blocks = nn.ModuleList(
            nn.ParameterDict(
                {name: nn.Parameter(t.float().clone()) for name, t in layer.tensors().items()}
            )
            for layer in backbone.layers[: self.depth]
        )
        self.gate = nn.Parameter(torch.zeros(shape.hidden, shape.hidden))
        # The centre starts open and the neighbours nearly shut: close to the warm-started layers.
        self.gate_bias = nn.Parameter(
            torch.tensor([-1.5, 2.0, -1.5])[:, None].repeat(1, shape.hidden)
        )
        self.position = nn.Parameter(torch.zeros(shape.positions, shape.hidden))
        last = backbone.layers[self.depth - 1]
        self.out_norm = nn.Parameter(last.norm2.float().clone())
        self.out_norm_bias = nn.Parameter(last.norm2_bias.float().clone())

    def rows(self, grams: Tensor) -> Tensor:
        """(N, 3) n-grams (boundary and ABSENT allowed) -> (N, 3, H) float32, absent slots zero."""
        present = grams != ABSENT
        hidden = self.shape.hidden
        words = F.embedding(grams.clamp(0, self.boundary - 1), self.word)
        words = torch.where((grams == self.boundary)[..., None], self.edge, words)
        x = F.layer_norm(words + self.place, (hidden,), self.norm, self.norm_bias, self.shape.eps)
        mask = present[:, None, :]
        for block in self.blocks:
            x = _short_layer(LayerWeights(**dict(block.items())), x, mask, self.shape)  # type: ignore[operator]
        gated = x * torch.sigmoid(F.linear(x, self.gate) + self.gate_bias)
        return gated * present[..., None]

    def compute(self, grams: Tensor) -> Tensor:
        """`rows` as tables store them: (N, 3) -> (N, 3, H) float16, in chunks of one size.

        Whatever its companions, an n-gram gets the same bits.
        """
        count = grams.shape[0]
        out = torch.empty(count, SLOTS, self.shape.hidden, dtype=ROW_DTYPE, device=grams.device)
        for start in range(0, count, CHUNK):
            part = grams[start : start + CHUNK]
            size = part.shape[0]
            if size < CHUNK:
                part = F.pad(part, (0, 0, 0, CHUNK - size))
            out[start : start + size] = self.rows(part)[:size].to(ROW_DTYPE)
        return out

    def assemble(self, rows: Tensor, which: Tensor, packing: Packing) -> Tensor:
        """Rows (U, 3, H) and each token's row number (T,) -> hidden state of layer k (T, H)."""
        own = rows[which, 1].float()
        left_edge = packing.position == 0
        right_edge = packing.position == packing.lengths[packing.row_of] - 1
        from_left = rows[which.roll(1), 2].float().masked_fill(left_edge[:, None], 0.0)
        from_right = rows[which.roll(-1), 0].float().masked_fill(right_edge[:, None], 0.0)
        x = own + from_left + from_right + self.position[packing.position]
        return F.layer_norm(
            x, (self.shape.hidden,), self.out_norm, self.out_norm_bias, self.shape.eps
        )

    def fingerprint(self) -> str:
        """Sha256 of all that decides a row; tables made by another encoder must not be used."""
        digest = hashlib.sha256(repr(self.form).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take weights of `state_dict`'s names and shapes (any float dtype); Damaged otherwise."""
        try:
            self.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True)
        except RuntimeError as error:
            raise Damaged(
                f"The n-gram encoder's weights do not fit: {error}",
                remedy="Build the domain's encoder again, or reinstall the project.",
                code="encoder_damaged",
            ) from error


def _short_layer(w: LayerWeights, x: Tensor, mask: Tensor, shape: Shape) -> Tensor:
    """A transformer layer over three slots: (N, 3, H) -> (N, 3, H). `mask` is (N, 1, 3).

    Attention over three places is written out: the general kernels spend more on set-up than
    on the nine products.
    """
    count, slots, hidden = x.shape
    qkv = F.linear(x, w.qkv, w.qkv_bias).view(count, slots, 3, shape.heads, shape.head_width)
    q, k, v = qkv.unbind(2)
    scores = torch.einsum("nihd,njhd->nhij", q, k) * shape.head_width**-0.5
    weights = scores.masked_fill(~mask[:, None], float("-inf")).softmax(-1)
    mixed = torch.einsum("nhij,njhd->nihd", weights, v).reshape(count, slots, hidden)
    a = F.linear(mixed, w.out, w.out_bias)
    x = F.layer_norm(x + a, (hidden,), w.norm1, w.norm1_bias, shape.eps)
    h = F.linear(F.gelu(F.linear(x, w.up, w.up_bias)), w.down, w.down_bias)
    return F.layer_norm(x + h, (hidden,), w.norm2, w.norm2_bias, shape.eps)
