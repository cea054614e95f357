"""Trained weights in and out of a module, and how they are told apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from engine.errors import Damaged


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """Take weights of `state_dict`'s names and shapes (any float dtype); Damaged otherwise."""
    try:
        module.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise Damaged(
            f"The {what}'s weights do not fit: {error}",
            remedy="Train it again (hmi domain rebuild NAME --train-minutes N), or reinstall the "
            "project.",
            code="encoder_damaged",
        ) from error


def fingerprint_of(module: nn.Module, form: object, dtype: torch.dtype = torch.float32) -> str:
    """Sha256 of a form and a module's weights, rounded to `dtype`; hex."""
    digest = hashlib.sha256(repr(form).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().to(dtype).contiguous().numpy().data)
    return digest.hexdigest()
