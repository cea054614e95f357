"""How a backbone's authors make one vector of a text, as a checkpoint folder says it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput
from engine.model.packing import Packing


@dataclass(frozen=True, slots=True)
class Pooling:
    """`way`: the mean of all tokens, or the first token's state; `normalised` to length 1."""

    way: Literal["mean", "cls"] = "mean"
    normalised: bool = True

    def apply(self, states: Tensor, packing: Packing) -> Tensor:
        """The last layer's states (T, H) -> one vector a row (B, H) float32."""
        if self.way == "mean":
            pooled = packing.mean(states)
        else:
            starts = torch.cumsum(packing.lengths, 0) - packing.lengths
            pooled = states.index_select(0, starts).float()
        return F.normalize(pooled, dim=1) if self.normalised else pooled


def read_pooling(folder: Path) -> Pooling:
    """What the sentence-transformers files of a checkpoint folder say; mean and normalised, which
    most of that family are, where there are none. BadInput for a pooling that is not known."""
    modules = _read(folder / "modules.json")
    if modules is None:
        return Pooling()
    kinds = [str(module.get("type", "")).rpartition(".")[2] for module in modules]
    path = next(
        (
            module.get("path", "")
            for module, kind in zip(modules, kinds, strict=True)
            if kind == "Pooling"
        ),
        "1_Pooling",
    )
    found = _read(folder / path / "config.json") or {}
    ways = [name for name, on in found.items() if name.startswith("pooling_mode_") and on is True]
    known: dict[str, Literal["mean", "cls"]] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
    }
    if len(ways) > 1 or any(way not in known for way in ways):
        raise BadInput(
            f"{folder / path} asks for a pooling that this engine does not know: "
            f"{', '.join(ways)}.",
            remedy="Embed with a backbone that takes the mean of all tokens, or the first one.",
            code="pooling_unsupported",
        )
    return Pooling(known[ways[0]] if ways else "mean", "Normalize" in kinds)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
