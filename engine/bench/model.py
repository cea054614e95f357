"""The model that is measured: a backbone and what takes the place of its lower layers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from engine.bench.subject import ModelChoice
from engine.config import DEFAULT_SPLIT
from engine.errors import NotFound, Unavailable
from engine.knowledge.encoder_file import general_hplm
from engine.knowledge.hplm import Hplm
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone, load_backbone, pick_device, pick_dtype


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """`own` are files of domains' own hPLMs, by domain."""

    backbone: Backbone
    hplm: Hplm
    own: Mapping[str, Path] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        return str(self.backbone.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        return str(self.backbone.device)

    def identity(self) -> dict[str, Any]:
        """What two runs must share for their figures to be comparable."""
        return {
            "backbone": self.backbone.checkpoint.sha256,
            "split": self.backbone.split,
            "encoder": self.hplm.encoder.fingerprint(),
            "bridge": self.hplm.bridge.fingerprint(),
            "own_encoders": {name: _sha256(path) for name, path in self.own.items()},
            "dtype": self.dtype,
        }

    def rows(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text, cut to what the backbone reads, as serving does it."""
        most = self.backbone.max_characters
        ids = self.backbone.tokenize([text[:most] for text in texts])
        return [self.backbone.cut(row)[0] for row in ids]

    def adapter(self, rank: int, labels: int, seed: int) -> AdapterWeights:
        """A random one, as a training begins with."""
        shape = self.backbone.shape
        return random_adapter(
            AdapterShape(shape.layers - self.backbone.split, shape.hidden, rank),
            labels,
            torch.Generator().manual_seed(seed),
        )


def open_model(choice: ModelChoice) -> Model:
    """Load it. Unavailable if no n-gram encoder fits the backbone at that split."""
    device = pick_device(choice.device)
    dtype = pick_dtype(device) if choice.dtype == "auto" else getattr(torch, choice.dtype)
    split = DEFAULT_SPLIT if choice.split is None else choice.split
    backbone = load_backbone(choice.backbone, device=device, dtype=dtype, split=split)
    hplm, damage = general_hplm(choice.encoder, backbone)
    if damage is not None:
        raise Unavailable(
            damage.detail,
            remedy="Give one with --encoder FILE, or measure another --split.",
            code=damage.code,
        )
    return Model(backbone, hplm.to(device), _own_hplms(choice.encoders))


def _own_hplms(folder: Path | None) -> dict[str, Path]:
    if folder is None:
        return {}
    found = {path.stem: path for path in sorted(folder.glob("*.safetensors"))}
    if not found:
        raise NotFound(
            f"There is no n-gram encoder in {folder}.",
            remedy="hmi domain encoder DOMAIN writes one to a file; name it DOMAIN.safetensors.",
        )
    return found


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
