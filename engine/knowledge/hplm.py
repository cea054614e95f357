"""The half of a hPLM that takes the place of the backbone's lower layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.ngram_encoder import NgramEncoder
from engine.model.packing import Packing


@dataclass(frozen=True, slots=True, eq=False)
class Hplm:
    """What takes the place of the lower layers: an n-gram encoder and the bridge above it."""

    encoder: NgramEncoder
    bridge: Bridge

    def freeze(self) -> Hplm:
        """Training is over; returns itself."""
        self.encoder.freeze()
        self.bridge.freeze()
        return self

    def to(self, device: torch.device) -> Hplm:
        return Hplm(self.encoder.to(device), self.bridge.to(device))

    def states(self, ids: NDArray[np.int64], packing: Packing) -> Tensor:
        """Layer k of packed texts (T,) -> (T, H) float32, rows computed and not rounded."""
        lengths = np.array(packing.sizes, dtype=np.int64)
        distinct, which = np.unique(self.encoder.grams(ids, lengths), axis=0, return_inverse=True)
        rows = self.encoder.rows(torch.from_numpy(distinct))
        return self.bridge(rows[torch.from_numpy(which.reshape(-1))], packing)  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """Weights, and what the encoder remembers of tokens."""
        parts = (*self.encoder.parameters(), *self.bridge.parameters())
        weights = sum(p.numel() * p.element_size() for p in parts)
        return weights + self.encoder.remembered_bytes

    @classmethod
    def untrained(
        cls,
        backbone: Backbone,
        widths: tuple[int, ...] | None = None,
        bridge_widths: tuple[int, ...] | None = None,
    ) -> Hplm:
        """As warm-started from the backbone, before any distillation."""
        return cls(NgramEncoder(backbone, widths), Bridge(backbone, bridge_widths))
