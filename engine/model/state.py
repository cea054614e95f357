"""A checkpoint's weights: read straight from its safetensors file, every one accounted for.

Names are those of transformers' BertModel and GPT2Model. Its loader gives the same (a test), but
takes longer to import than all else that an engine starts with.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from engine.errors import Damaged
from engine.model.checkpoint import REMEDY, WEIGHTS, Checkpoint, Family
from engine.model.layers import Shape

Sizes = Mapping[str, tuple[int, ...]]
"""The weights that a model has, and what the shape of each is."""

_BASE: dict[Family, str] = {"bert": "bert.", "gpt2": "transformer."}
"""Stands before the names in the file of a model with a head."""
_EARLIER = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""What BERT's first checkpoints call them."""
_KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def bert_sizes(shape: Shape, segments: int) -> dict[str, tuple[int, ...]]:
    """Of a BertModel without its pooler."""
    wide, hidden = shape.intermediate, shape.hidden
    sizes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.vocab, hidden),
        "embeddings.position_embeddings.weight": (shape.positions, hidden),
        "embeddings.token_type_embeddings.weight": (segments, hidden),
        **_with_bias("embeddings.LayerNorm", hidden),
    }
    for layer in range(shape.layers):
        at = f"encoder.layer.{layer}."
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            sizes |= _with_bias(f"{at}attention.{name}", hidden, hidden)
        sizes |= _with_bias(f"{at}attention.output.LayerNorm", hidden)
        sizes |= _with_bias(f"{at}intermediate.dense", wide, hidden)
        sizes |= _with_bias(f"{at}output.dense", hidden, wide)
        sizes |= _with_bias(f"{at}output.LayerNorm", hidden)
    return sizes


def gpt2_sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Of a GPT2Model and the head over it; projections are (in, out)."""
    wide, hidden = shape.intermediate, shape.hidden
    sizes: dict[str, tuple[int, ...]] = {
        "wte.weight": (shape.vocab, hidden),
        "wpe.weight": (shape.positions, hidden),
        "lm_head.weight": (shape.vocab, hidden),
        **_with_bias("ln_f", hidden),
    }
    for layer in range(shape.layers):
        at = f"h.{layer}."
        sizes |= _with_bias(f"{at}ln_1", hidden) | _with_bias(f"{at}ln_2", hidden)
        for name, into, out in (
            ("attn.c_attn", hidden, 3 * hidden),
            ("attn.c_proj", hidden, hidden),
            ("mlp.c_fc", hidden, wide),
            ("mlp.c_proj", wide, hidden),
        ):
            sizes |= {f"{at}{name}.weight": (into, out), f"{at}{name}.bias": (out,)}
    return sizes


def read_state(checkpoint: Checkpoint, family: Family, sizes: Sizes) -> dict[str, Tensor]:
    """The weights of `sizes` in float32, in memory of their own: the file may change afterwards.

    A head and word vectors that are tied are one tensor. Damaged, with the name of what is
    missing or does not fit.
    """
    path = checkpoint.folder / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            found = {_plain(name, family): name for name in file.keys()}  # noqa: SIM118
            state = {
                name: _fitting(file.get_tensor(found[name]), name, sizes[name], path)
                for name in sizes
                if name in found
            }
    except (OSError, SafetensorError) as error:
        raise Damaged(
            f"The checkpoint in {checkpoint.folder} cannot be loaded: {error}",
            remedy=REMEDY,
            code="backbone_damaged",
        ) from error
    if family == "gpt2" and checkpoint.config.get("tie_word_embeddings", True):
        _tie(state, "wte.weight", "lm_head.weight")
    missing = sorted(sizes.keys() - state.keys())
    if missing:
        raise Damaged(
            f"The checkpoint in {checkpoint.folder} lacks {len(missing)} weights, "
            f"{missing[0]} among them.",
            remedy=REMEDY,
            code="backbone_damaged",
        )
    return state


def _with_bias(name: str, *size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": size, f"{name}.bias": size[:1]}


def _plain(name: str, family: Family) -> str:
    name = name.removeprefix(_BASE[family])
    for earlier, now in _EARLIER.items():
        name = name.replace(earlier, now)
    return name


def _fitting(weight: Tensor, name: str, size: tuple[int, ...], path: Path) -> Tensor:
    if weight.shape != size or weight.dtype not in _KINDS:
        kind = str(weight.dtype).removeprefix("torch.")
        raise Damaged(
            f"{name} in {path} is {kind} {tuple(weight.shape)}; a model as its config.json "
            f"describes has {size}, of floats.",
            remedy=REMEDY,
            code="backbone_damaged",
        )
    return weight.to(torch.float32, copy=True)


def _tie(state: dict[str, Tensor], one: str, other: str) -> None:
    """Make one tensor of what is stored once, or twice alike; two that differ are left."""
    held = [name for name in (one, other) if name in state]
    if len(held) == 1 or (held and torch.equal(state[one], state[other])):
        state[one] = state[other] = state[held[0]]
