"""A backbone of the GPT-2 family: tokens look back alone, and the top says what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput, Damaged
from engine.model.backbone import Backbone, Embeddings, check_split, load_backbone
from engine.model.cached import CachedRows
from engine.model.checkpoint import Checkpoint, open_checkpoint, read_tokenizer, reading_sizes
from engine.model.layers import LayerWeights, Place, Shape, apply_layer
from engine.model.state import gpt2_sizes, read_state

_STANDARD = {
    "activation_function": "gelu_new",
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "add_cross_attention": False,
}
"""What a configuration may not say otherwise; an absent entry says this."""


@dataclass(frozen=True, eq=False)
class Decoder(Backbone):
    """`norm` and `norm_bias` (H,) close the stack; `head` (V, H) is most often the word vectors."""

    norm: Tensor
    norm_bias: Tensor
    head: Tensor
    end: int | None
    """The token that ends a text, if the vocabulary has one."""

    def logits(self, x: Tensor) -> Tensor:
        """The last layer's output (N, H) -> what comes next (N, V) float32."""
        x = F.layer_norm(x, (self.shape.hidden,), self.norm, self.norm_bias, self.shape.eps)
        return F.linear(x, self.head).float()

    def lower_on(self, ids: Tensor, cached: CachedRows) -> Tensor:
        """The exact lower layers for new tokens (T,) -> (T, H); the leases' first layers are
        theirs."""
        x = self.embeddings.of(ids, cached.position, self.shape.eps).to(self.dtype)
        for layer, weights in enumerate(self.layers[: self.split]):
            x = apply_layer(weights, x, cached.mix(layer), self.shape)
        return x

    def upper_on(self, x: Tensor, cached: CachedRows, adapt: Place | None = None) -> Tensor:
        """Layers k to L-1 for new tokens, with adapters; the leases' last layers are theirs."""
        for layer, weights in enumerate(self.layers[self.split :]):
            mix = cached.mix(layer + self.split - self.shape.layers)
            x = apply_layer(weights, x, mix, self.shape, layer, adapt)
        return x

    def rows(self, lines: Sequence[str]) -> list[list[int]]:
        """Lines of running text that follow each other: one row of token ids."""
        return self.tokenize(["".join(f"{line}\n" for line in lines)]) if lines else []

    def windows(self, lines: Sequence[str], length: int) -> list[list[int]]:
        """The same in rows of at most `length`."""
        return [
            row[at : at + length]
            for row in self.rows(lines)
            for at in range(0, len(row), length)
            if len(row) - at > 1
        ]

    def cut(self, ids: list[int]) -> tuple[list[int], bool]:
        """`ids` from the first on, as many as the decoder reads, and whether any were lost."""
        return ids[: self.max_tokens], len(ids) > self.max_tokens


def load_decoder(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    split: int | None = None,
) -> Decoder:
    """Load a checkpoint of transformers' GPT-2 family and lay its weights out for serving.

    Without a `split`, two thirds of the layers are the lower, as of the bundled encoder.
    Raises NotFound, BadInput or Damaged (with remedies) if it cannot be used.
    """
    checkpoint = open_checkpoint(folder, "gpt2")
    shape = _shape(checkpoint)
    split = split if split is not None else max(1, shape.layers * 2 // 3)
    check_split(split, shape)
    state = read_state(checkpoint, "gpt2", gpt2_sizes(shape))
    tokenizer = read_tokenizer(checkpoint)
    _check_tokenizer(tokenizer, shape, checkpoint)
    place = torch.device(device)
    word, position, head = (state[f"{name}.weight"] for name in ("wte", "wpe", "lm_head"))
    once = {id(weight): weight for weight in state.values()}.values()
    return Decoder(
        checkpoint=checkpoint,
        shape=shape,
        split=split,
        embeddings=Embeddings(word.to(place), position.to(place)),
        layers=tuple(
            LayerWeights.from_gpt2(state, layer).to(place, dtype) for layer in range(shape.layers)
        ),
        tokenizer=tokenizer,
        device=place,
        dtype=dtype,
        parameters=sum(t.numel() for t in once),
        norm=state["ln_f.weight"].to(place, dtype),
        norm_bias=state["ln_f.bias"].to(place, dtype),
        head=head.to(place, dtype),
        end=tokenizer.eos_token_id,
    )


def load_teacher(serving: Backbone) -> Backbone:
    """A backbone in float32 on the CPU, whatever it serves in: what an encoder is trained from."""
    if serving.device.type == "cpu" and serving.dtype == torch.float32:
        return serving
    folder = serving.checkpoint.folder
    if isinstance(serving, Decoder):
        return load_decoder(folder, split=serving.split)
    return load_backbone(folder, split=serving.split)


def _check_tokenizer(tokenizer: Any, shape: Shape, checkpoint: Checkpoint) -> None:
    # A folder without tokenizer files loads as one that knows no word at all.
    ids = set(tokenizer.get_vocab().values())
    if len(ids) < 2 or max(ids) >= shape.vocab:
        raise Damaged(
            f"The tokenizer in {checkpoint.folder} knows {len(ids)} tokens, the model "
            f"{shape.vocab}: they do not belong together, or its files are missing.",
            remedy="Copy tokenizer.json (or vocab.json and merges.txt) of the same model there.",
            code="backbone_damaged",
        )


def _shape(checkpoint: Checkpoint) -> Shape:
    config = checkpoint.config
    for name, wanted in _STANDARD.items():
        if config.get(name, wanted) != wanted:
            raise BadInput(
                f"{checkpoint.folder} has {name} {config[name]!r}, which this engine does not "
                f"know; it serves {wanted!r}.",
                remedy="Choose a checkpoint of GPT-2's own form.",
                code="backbone_unsupported",
            )
    with reading_sizes(checkpoint):
        hidden = int(config["n_embd"])
        return Shape(
            layers=int(config["n_layer"]),
            hidden=hidden,
            heads=int(config["n_head"]),
            intermediate=int(config.get("n_inner") or 4 * hidden),
            vocab=int(config["vocab_size"]),
            positions=int(config["n_positions"]),
            eps=float(config.get("layer_norm_epsilon", 1e-5)),
            causal=True,
        )
