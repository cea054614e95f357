"""The shared backbone: embeddings, lower and upper layers, tokenizer, on one device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput
from engine.model.checkpoint import Checkpoint, open_checkpoint, read_tokenizer, reading_sizes
from engine.model.layers import LayerWeights, Place, Shape, run_layer
from engine.model.packing import Packing
from engine.model.pooling import Pooling, read_pooling
from engine.model.state import bert_sizes, read_state

REFERENCE_BYTES_PER_PARAMETER = 4
"""A dedicated model is stored in float32, as checkpoints are published."""


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Word (V, H) and position (P, H) vectors; the BERT family has a segment's (H,), a pair's
    second text's (H,) and the first normalisation too, the GPT-2 family none of the four.

    Float32 whatever the layers compute in: the n-gram encoder reads the same word vectors, and a
    table must not depend on the machine that built it.
    """

    word: Tensor
    position: Tensor
    segment: Tensor | None = None
    second: Tensor | None = None
    norm: Tensor | None = None
    norm_bias: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Those that there are."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: t for name, t in found.items() if t is not None}

    def of(self, ids: Tensor, position: Tensor, eps: float, second: Tensor | None = None) -> Tensor:
        """Token ids (T,) at their positions (T,) -> (T, H) float32; `second` (T,) is 1 in second
        texts."""
        x = F.embedding(ids, self.word) + F.embedding(position, self.position)
        if self.segment is not None:
            x = x + self.segment
            if second is not None and self.second is not None:
                x = x + second[:, None] * (self.second - self.segment)
        if self.norm is None:
            return x
        return F.layer_norm(x, (x.shape[1],), self.norm, self.norm_bias, eps)


@dataclass(frozen=True, eq=False)
class Backbone:
    """Frozen weights shared by every domain and tenant. Layers below `split` (k) are the lower.

    Hidden states are packed (T, H) in `dtype`; see `Packing`.
    """

    checkpoint: Checkpoint
    shape: Shape
    split: int
    embeddings: Embeddings
    layers: tuple[LayerWeights, ...]
    tokenizer: Any
    device: torch.device
    dtype: torch.dtype
    parameters: int

    @property
    def sha256(self) -> str:
        """Of its weights."""
        return self.checkpoint.sha256

    @property
    def compiles(self) -> bool:
        """Whether its matrix kernels are compiled by shape; see `packing.rounded`."""
        return self.device.type == "cpu" and self.dtype == torch.bfloat16

    @property
    def max_tokens(self) -> int:
        """Longest sequence it reads, special tokens included."""
        return self.shape.positions

    @property
    def max_characters(self) -> int:
        """More of a text than this is not looked at: no prose has so long tokens, and a text made
        to be slow should not be."""
        return 64 * self.max_tokens

    @property
    def dedicated_bytes(self) -> int:
        """What a private copy of this backbone takes on disk."""
        return self.parameters * REFERENCE_BYTES_PER_PARAMETER

    @property
    def bytes(self) -> int:
        """Memory of the weights as loaded."""
        tensors = [t for layer in self.layers for t in layer.tensors().values()]
        tensors += [self.embeddings.word, self.embeddings.position]
        return sum(t.numel() * t.element_size() for t in tensors)

    def embed(self, ids: Tensor, packing: Packing) -> Tensor:
        """Token ids (T,) -> (T, H), the first layer's input."""
        x = self.embeddings.of(ids, packing.position, self.shape.eps, packing.segment)
        return x.to(self.dtype)

    def lower(self, ids: Tensor, packing: Packing) -> Tensor:
        """The exact lower layers: token ids (T,) -> hidden state of layer k (T, H)."""
        x = self.embed(ids, packing)
        for weights in self.layers[: self.split]:
            x = run_layer(weights, x, packing, self.shape)
        return x

    def upper(self, x: Tensor, packing: Packing, adapt: Place | None = None) -> Tensor:
        """Layers k to L-1, with adapters: (T, H) -> (T, H)."""
        for layer in range(self.split, self.shape.layers):
            x = run_layer(self.layers[layer], x, packing, self.shape, layer - self.split, adapt)
        return x

    @cached_property
    def pooling(self) -> Pooling:
        """How its authors make one vector of a text."""
        return read_pooling(self.checkpoint.folder)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with [CLS] and [SEP]; longer texts than it reads are cut by the caller."""
        if not texts:
            return []
        return [found.ids for found in self._fast.encode_batch_fast(list(texts))]

    @cached_property
    def _fast(self) -> Any:
        """The tokenizer without what is wrapped round it, which costs as much again."""
        fast = self.tokenizer.backend_tokenizer
        fast.no_truncation()
        fast.no_padding()
        return fast

    def tokenize_fully(self, texts: Sequence[str | tuple[str, str]]) -> list[Any]:
        """The tokenizer's own encodings of texts or pairs: ids, type ids, words and offsets."""
        return list(self._fast.encode_batch(list(texts))) if texts else []

    def rows(self, lines: Sequence[str]) -> list[list[int]]:
        """The token rows of a corpus's lines, each a document, as serving reads them."""
        return [self.cut(ids)[0] for ids in self.tokenize(lines)]

    def windows(self, lines: Sequence[str], length: int) -> list[list[int]]:
        """Token rows of at most `length`, long lines cut into several, each with its own edges."""
        rows: list[list[int]] = []
        for ids in self.tokenize(lines):
            first, last, body = ids[0], ids[-1], ids[1:-1]
            starts = range(0, len(body), length - 2)
            rows.extend([first, *body[at : at + length - 2], last] for at in starts)
        return rows

    def cut(self, ids: list[int]) -> tuple[list[int], bool]:
        """`ids` as the backbone can read them (closing token kept), and whether any were lost."""
        if len(ids) <= self.max_tokens:
            return ids, False
        return [*ids[: self.max_tokens - 1], ids[-1]], True


def pick_device(name: str) -> torch.device:
    """The device that `--device` names; "auto" takes CUDA if there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(
            f"{name!r} is not a device.", remedy="Use auto, cpu, cuda or cuda:0.", code="bad_device"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadInput(
            f"Device {name!r} was asked for, but there is no usable NVIDIA device.",
            remedy="Use --device cpu, or check the driver with nvidia-smi.",
            code="bad_device",
        )
    if device.type not in ("cpu", "cuda"):
        raise BadInput(f"{name!r} is not supported.", remedy="Use cpu or cuda.", code="bad_device")
    return device


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the machine computes in it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return torch.float32
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    return torch.bfloat16 if native else torch.float32


def load_backbone(
    folder: Path | None = None,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    split: int = 3,
) -> Backbone:
    """Load a checkpoint of transformers' BERT family and lay its weights out for serving.

    Raises NotFound, BadInput or Damaged (with remedies) if it cannot be used.
    """
    checkpoint = open_checkpoint(folder)
    shape = _shape(checkpoint)
    check_split(split, shape)
    with reading_sizes(checkpoint):
        segments = int(checkpoint.config.get("type_vocab_size", 2))
    state = read_state(checkpoint, "bert", bert_sizes(shape, segments))
    place = torch.device(device)
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm")
    word, position, segment, norm = (state[f"embeddings.{name}.weight"] for name in names)
    first, second = segment[0], segment[min(1, len(segment) - 1)]
    parts = (word, position, first, second, norm, state["embeddings.LayerNorm.bias"])
    return Backbone(
        checkpoint=checkpoint,
        shape=shape,
        split=split,
        embeddings=Embeddings(*(t.to(place) for t in parts)),
        layers=tuple(
            LayerWeights.from_bert(state, layer).to(place, dtype) for layer in range(shape.layers)
        ),
        tokenizer=read_tokenizer(checkpoint),
        device=place,
        dtype=dtype,
        parameters=sum(t.numel() for t in state.values()),
    )


def check_split(split: int, shape: Shape) -> None:
    """BadInput unless both halves have a layer."""
    if not 0 < split < shape.layers:
        raise BadInput(
            f"The split {split} does not fit a backbone of {shape.layers} layers.",
            remedy=f"Choose a split from 1 to {shape.layers - 1}.",
        )


def _shape(checkpoint: Checkpoint) -> Shape:
    config = checkpoint.config
    if config.get("hidden_act") != "gelu" or config.get("position_embedding_type") not in (
        None,
        "absolute",
    ):
        raise BadInput(
            f"{checkpoint.folder} uses an activation or positions this engine does not know.",
            remedy="Choose a checkpoint with hidden_act gelu and absolute positions.",
            code="backbone_unsupported",
        )
    with reading_sizes(checkpoint):
        return Shape(
            layers=int(config["num_hidden_layers"]),
            hidden=int(config["hidden_size"]),
            heads=int(config["num_attention_heads"]),
            intermediate=int(config["intermediate_size"]),
            vocab=int(config["vocab_size"]),
            positions=int(config["max_position_embeddings"]),
            eps=float(config.get("layer_norm_eps", 1e-12)),
        )
