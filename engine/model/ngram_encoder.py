"""The n-gram encoder: what the lower layers would say of a token, from three tokens alone.

The n-gram passes through a few transformer layers, of which only the centre's output is kept: one
row of H numbers. Its neighbours are seen as each would be with nobody around, so whatever they
contribute is a function of one token and its slot. That makes a miss cheap: in serving, those
contributions and all first projections come from a table by token (`TokenProjections`), and an
n-gram pays for output projection and feed-forward alone.

The published form (SkipBERT, ACL 2022) runs k whole layers on all three tokens, stores three gated
slots and sums them over neighbouring n-grams; the bridge's attention does that here.
Absent slots are masked out, and a boundary is a learned token of its own. For a decoder it is the
same, with the two tokens before the centre as its neighbours and nothing of what comes after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.backbone import Backbone, Embeddings
from engine.model.centre import hear
from engine.model.layers import LayerWeights, Shape, finish, project
from engine.model.ngrams import ABSENT, SLOTS, Ids, ngrams
from engine.model.rows import encode_rows, row_bytes
from engine.model.steady import height
from engine.model.token_projections import TokenProjections
from engine.model.weights import fingerprint_of, load_weights

FORM, CAUSAL_FORM = "centre-row", "causal-row"
_SIDES = (0, 2)
_CENTRE = 1


@dataclass(frozen=True, slots=True)
class EncoderForm:
    """What an encoder's weights need to be used, besides the backbone they were made for.

    `widths` are the feed-forward widths of its layers; `split` is k.
    """

    form: str
    split: int
    hidden: int
    widths: tuple[int, ...]
    backbone_sha256: str


def form_of(shape: Shape) -> str:
    """What an encoder for such a backbone is called in files."""
    return CAUSAL_FORM if shape.causal else FORM


def _places(e: Embeddings) -> Tensor:
    """(SLOTS, H) what standing in each slot adds to a word, before training."""
    if e.segment is not None:
        return e.position[:SLOTS] + e.segment
    # Anywhere in a text, two tokens back, here, and one back: the first positions are odd ones.
    p = e.position
    return torch.stack([p[:-2].mean(0), p[2:].mean(0), p[1:-1].mean(0)])


class NgramEncoder(nn.Module):
    """Trainable; the word vectors stay the backbone's own and are not part of its state."""

    def __init__(self, backbone: Backbone, widths: tuple[int, ...] | None = None) -> None:
        """Start from the backbone's first layers, their feed-forwards cut to `widths`; one layer,
        its feed-forward halved, if none are given."""
        super().__init__()
        shape, e = backbone.shape, backbone.embeddings
        widths = (shape.intermediate // 2,) if widths is None else widths
        self.shape: Shape = shape
        self.boundary = shape.vocab
        self.dtype = backbone.dtype
        """What rows are computed in; it decides their last bits."""
        self.form = EncoderForm(
            form_of(shape), backbone.split, shape.hidden, widths, backbone.checkpoint.sha256
        )
        self.word = e.word.float()
        self.edge = nn.Parameter(e.word.float().mean(0))
        self.place = nn.Parameter(_places(e).float().clone())
        self.norm = None if e.norm is None else nn.Parameter(e.norm.float().clone())
        self.norm_bias = None if e.norm_bias is None else nn.Parameter(e.norm_bias.float().clone())
        self.blocks = nn.ModuleList(
            layer.trimmed(width).trainable()
            for layer, width in zip(backbone.layers, widths, strict=False)
        )
        self._projections: TokenProjections | None = None
        self._cast: list[LayerWeights] | None = None

    def layers(self) -> list[LayerWeights]:
        """The layers' weights as they are now."""
        return [LayerWeights.of(block) for block in self.blocks]

    def served(self) -> list[LayerWeights]:
        """The layers that compute rows: in `dtype`, where the module is now. The weights must not
        change any more."""
        device = self.edge.device
        if self._cast is None or self._cast[0].out.device != device:
            self._cast = [each.to(device, self.dtype) for each in self.layers()]
        return self._cast

    def embed(self, tokens: Tensor, slot: int) -> Tensor:
        """Token ids (N,), the boundary among them, standing in `slot` -> (N, H)."""
        words = F.embedding(tokens.clamp(0, self.boundary - 1), self.word)
        words = torch.where((tokens == self.boundary)[:, None], self.edge, words)
        x = words + self.place[slot]
        if self.norm is None:
            return x
        return F.layer_norm(x, (self.shape.hidden,), self.norm, self.norm_bias, self.shape.eps)

    def grams(
        self, ids: Ids, lengths: Ids, before: Ids | None = None, seconds: Ids | None = None
    ) -> Ids:
        """The n-grams (T, 3) of packed rows (see `ngrams.ngrams`)."""
        return ngrams(
            ids, lengths, self.boundary, causal=self.shape.causal, before=before, seconds=seconds
        )

    def rows(self, grams: Tensor) -> Tensor:
        """(N, 3) n-grams (boundary and ABSENT allowed) -> (N, H) float32, with gradients."""
        present = grams != ABSENT
        tokens = grams.clamp(min=0)
        seen, which = torch.unique(tokens[:, _SIDES], return_inverse=True)
        sides = torch.stack([self.embed(seen, slot) for slot in _SIDES])
        x = self.embed(tokens[:, _CENTRE], _CENTRE)
        hidden = self.shape.hidden
        last = len(self.blocks) - 1
        for depth, w in enumerate(self.layers()):
            told = project(w, sides, self.shape, hidden)
            own = project(w, x, self.shape)
            left, right = told[0][which[:, 0]], told[1][which[:, 1]]
            x = finish(w, x, hear(own, left, right, present, self.shape), self.shape)
            if depth < last:
                sides = finish(w, sides, told[..., hidden:], self.shape)
        return x

    @torch.inference_mode()
    def compute(self, grams: Tensor) -> Tensor:
        """Rows as tables store them: (N, 3) -> (N, H + 4) int8.

        Whatever its companions, an n-gram gets the same bits. The weights must not change any
        more (`freeze`): what tokens contribute is remembered.
        """
        # Held here: another thread that comes first too makes its own, and either is whole.
        known = self._projections = self._projections or TokenProjections(self)
        count, hidden = grams.shape[0], self.shape.hidden
        out = torch.empty(count, row_bytes(hidden), dtype=torch.int8, device=grams.device)
        layers = self.served()
        start = 0
        while start < count:
            high = height(count - start, is_steady=known.steady)
            part = grams[start : start + high]
            size = part.shape[0]
            part = F.pad(part, (0, 0, 0, high - size))
            out[start : start + size] = encode_rows(self._chunk(layers, part, known)[:size])
            start += size
        return out

    def _chunk(self, layers: list[LayerWeights], grams: Tensor, known: TokenProjections) -> Tensor:
        present = grams != ABSENT
        tokens = grams.clamp(min=0)
        x = self.embed(tokens[:, _CENTRE], _CENTRE)
        for depth, w in enumerate(layers):
            left, right, own = known.take(tokens, depth)
            if own is None:
                own = project(w, x, self.shape).float()
            x = finish(w, x, hear(own, left, right, present, self.shape), self.shape)
        return x.float()

    @property
    def remembered_bytes(self) -> int:
        """What tokens contribute, of those met so far."""
        return 0 if self._projections is None else self._projections.nbytes

    def freeze(self) -> NgramEncoder:
        """Training is over; returns itself."""
        self._forget()
        return self.eval().requires_grad_(requires_grad=False)

    def fingerprint(self) -> str:
        """Sha256 of all that decides a row; tables made by another encoder must not be used."""
        exact = self.dtype == torch.float32
        return fingerprint_of(self, self.form if exact else (self.form, str(self.dtype)))

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take weights of `state_dict`'s names and shapes (any float dtype); Damaged otherwise."""
        load_weights(self, tensors, "n-gram encoder")
        self._forget()

    def _forget(self) -> None:
        self._projections = self._cast = None
