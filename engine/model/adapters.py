"""Adapters: a tenant's whole state, as it is stored and made. See batched for many at work.

The bottleneck (Houlsby et al., 2019) y = x + up(gelu(down(x))) sits after the output projections
of attention and feed-forward in each upper layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import Damaged

FORMAT = "hmi-adapter-1"
PLACES = ("attention", "feed_forward")
_SCALE = "scale"
_INFINITY, _MINUS_INFINITY = 0x7C00, 0xFC00
"""In float16's bits."""


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """U upper layers, 2 places in each, hidden H, rank r."""

    layers: int
    hidden: int
    rank: int

    @property
    def parameters(self) -> int:
        """Parameters of the bottlenecks, without the head."""
        return self.layers * len(PLACES) * (2 * self.hidden * self.rank + self.rank + self.hidden)


@dataclass(frozen=True, slots=True, eq=False)
class AdapterWeights:
    """`down` (U, 2, H, r), `down_bias` (U, 2, r), `up` (U, 2, r, H), `up_bias` (U, 2, H),
    `head` (C, H), `head_bias` (C,) for C labels.

    `scale` (2, C) float32, if there is one: the mean of the numbers that a regression learnt, and
    what one of its head's units is of them. Heads without it answer as they are.
    """

    down: Tensor
    down_bias: Tensor
    up: Tensor
    up_bias: Tensor
    head: Tensor
    head_bias: Tensor
    scale: Tensor | None = None

    @property
    def shape(self) -> AdapterShape:
        layers, _, hidden, rank = self.down.shape
        return AdapterShape(layers, hidden, rank)

    @property
    def labels(self) -> int:
        return int(self.head.shape[0])

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """Those that it has, by name."""
        every = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: tensor for name, tensor in every.items() if tensor is not None}

    def to(self, dtype: torch.dtype) -> AdapterWeights:
        return AdapterWeights(
            **{n: t if n == _SCALE else t.to(dtype) for n, t in self.tensors().items()}
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """As stored: float16, but for the scale, whose numbers may be of any size."""
        return {
            name: t.detach()
            .to("cpu", torch.float32 if name == _SCALE else torch.float16)
            .contiguous()
            .numpy()
            for name, t in self.tensors().items()
        }

    def served_head(self) -> tuple[Tensor, Tensor]:
        """Weight (C, H) and bias (C,) float32 of the head that answers in the targets' units."""
        weight, bias = self.head.float(), self.head_bias.float()
        if self.scale is None:
            return weight, bias
        mean, unit = self.scale.float()
        return weight * unit[:, None], bias * unit + mean

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], name: str, *, headless: bool = False
    ) -> AdapterWeights:
        """Check and take stored arrays; Damaged (naming `name`) if they are no adapter. One that is
        `headless`, as an embedding's may be, can have a head without labels."""
        expected = {f.name for f in fields(cls)} - {_SCALE}
        if set(arrays) - {_SCALE} != expected:
            odd = ", ".join(sorted(expected.symmetric_difference(set(arrays) - {_SCALE})))
            raise _not_an_adapter(name, f"these arrays are missing or foreign: {odd}")
        weights = cls(**{key: torch.from_numpy(np.asarray(a)) for key, a in arrays.items()})
        if weights.down.ndim != 4 or weights.head.ndim != 2:
            raise _not_an_adapter(name, "its arrays have the wrong number of dimensions")
        if not all(t.dtype in (torch.float16, torch.float32) for t in weights.tensors().values()):
            raise _not_an_adapter(name, "its arrays are not all float16 or float32")
        sizes = weights.head.shape[headless:]
        if 0 in (*weights.down.shape, *sizes):
            raise _not_an_adapter(name, "it is empty")
        shape, labels = weights.shape, weights.labels
        places = (shape.layers, len(PLACES))
        wanted = {
            "down": (*places, shape.hidden, shape.rank),
            "down_bias": (*places, shape.rank),
            "up": (*places, shape.rank, shape.hidden),
            "up_bias": (*places, shape.hidden),
            "head": (labels, shape.hidden),
            "head_bias": (labels,),
        }
        if _SCALE in arrays:
            wanted[_SCALE] = (2, labels)
        for key, size in wanted.items():
            if tuple(arrays[key].shape) != size:
                raise _not_an_adapter(name, f"{key} is {arrays[key].shape}, not {size}")
        if not all(map(_finite, arrays.values())):
            raise _not_an_adapter(name, "it holds numbers that are not finite")
        return weights


def _finite(array: NDArray[Any]) -> bool:
    """Whether all numbers are; float16 by its bits, which is a tenth of the work."""
    if array.dtype != np.float16:
        return bool(np.isfinite(array).all())
    # Infinity and all that is not a number lie above every finite bit pattern of their sign.
    highest = array.view(np.int16).max(initial=0)
    return bool(highest < _INFINITY and array.view(np.uint16).max(initial=0) < _MINUS_INFINITY)


def _not_an_adapter(name: str, why: str) -> Damaged:
    return Damaged(
        f"Adapter {name} is not usable: {why}.",
        remedy="Train the vPLM again, or restore the file from a backup.",
        code="adapter_damaged",
    )


def random_adapter(
    shape: AdapterShape,
    labels: int,
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> AdapterWeights:
    """A fresh adapter: nearly the identity, and unlike any other."""

    def normal(scale: float, *size: int) -> Tensor:
        return torch.empty(size, dtype=dtype).normal_(0.0, scale, generator=generator)

    def zeros(*size: int) -> Tensor:
        return torch.zeros(size, dtype=dtype)

    places = (shape.layers, len(PLACES))
    return AdapterWeights(
        down=normal(1 / math.sqrt(shape.hidden), *places, shape.hidden, shape.rank),
        down_bias=zeros(*places, shape.rank),
        up=normal(0.01, *places, shape.rank, shape.hidden),
        up_bias=zeros(*places, shape.hidden),
        head=normal(1 / math.sqrt(shape.hidden), labels, shape.hidden),
        head_bias=zeros(labels),
    )


def identity_adapter(shape: AdapterShape) -> AdapterWeights:
    """One of rank 1 that changes nothing, and has no head."""
    places, rank = (shape.layers, len(PLACES)), 1
    return AdapterWeights(
        down=torch.zeros(*places, shape.hidden, rank),
        down_bias=torch.zeros(*places, rank),
        up=torch.zeros(*places, rank, shape.hidden),
        up_bias=torch.zeros(*places, shape.hidden),
        head=torch.zeros(0, shape.hidden),
        head_bias=torch.zeros(0),
    )
