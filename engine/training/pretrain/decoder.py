"""A GPT-2 with nothing learnt yet, and the two optimizers that teach it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import BadInput
from engine.training.pretrain.vocabulary import LEAST

_DECAY = 0.1
_TANH_GELU = "gelu_pytorch_tanh"
"""The same function as GPT-2's "gelu_new", in one kernel instead of seven."""


@dataclass(frozen=True, slots=True)
class DecoderShape:
    """Sizes of a GPT-2. With the defaults 4.6 M parameters, 9.2 MB in float16."""

    layers: int = 6
    hidden: int = 224
    heads: int = 4
    context: int = 256
    vocabulary: int = 4096

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise BadInput(
                f"A width of {self.hidden} cannot be divided among {self.heads} heads.",
                remedy="Choose --heads that divide --hidden.",
            )
        if self.vocabulary < LEAST:
            raise BadInput(
                f"A vocabulary of {self.vocabulary} has no token for some bytes.",
                remedy=f"Choose at least {LEAST}.",
            )


def new_decoder(shape: DecoderShape, dropout: float, seed: int) -> Any:
    """A transformers GPT2LMHeadModel in float32, its weights drawn from `seed`."""
    # Imported by name because its typed surface changes from release to release.
    transformers: Any = importlib.import_module("transformers")
    config = transformers.GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=shape.context,
        n_embd=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        activation_function=_TANH_GELU,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        # With it the attention would leave the fused kernel.
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return transformers.GPT2LMHeadModel(config)


def optimizers(model: nn.Module, lr: float) -> tuple[torch.optim.Optimizer, ...]:
    """Muon (Jordan 2024) for the layers' matrices, AdamW for embeddings, norms and biases.

    Muon needs about two thirds of AdamW's tokens for the same loss; its update is scaled to the
    size of AdamW's (Liu et al. 2025), so that both take one learning rate.
    """
    matrices: list[Tensor] = []
    embeddings: list[Tensor] = []
    vectors: list[Tensor] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            vectors.append(parameter)
        elif ".h." in name:
            matrices.append(parameter)
        else:
            embeddings.append(parameter)
    groups = [
        {"params": embeddings, "weight_decay": _DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return (
        torch.optim.Muon(matrices, lr=lr, weight_decay=_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=True),
    )
