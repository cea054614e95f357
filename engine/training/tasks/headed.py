"""What tasks have in common whose answers an adapter's own head gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading
from engine.training.schedule import batches, split


class Headed(ABC):
    """The head turns each vector (H,) that `pool` gives into an answer, the logits. See Task."""

    _lengths: NDArray[np.int64]

    @property
    @abstractmethod
    def outputs(self) -> int:
        """See Task."""

    @abstractmethod
    def loss(self, answers: Tensor, rows: Sequence[int], /) -> Tensor:
        """See Task."""

    @property
    @abstractmethod
    def groups(self) -> NDArray[np.int64]:
        """(N,) for each row the group of which a share is held out."""

    @abstractmethod
    def readings(self, backbone: Backbone) -> list[Reading]:
        """All rows' texts as the backbone reads them."""

    @abstractmethod
    def pool(self, top: Tensor, packing: Packing, rows: Sequence[int], /) -> Tensor:
        """The last layer's states (T, H) of `rows` -> the head's input (V, H) float32."""

    def split(self, seed: int) -> tuple[list[int], list[int]]:
        return split(self.groups, seed)

    def read(self, backbone: Backbone) -> list[Reading]:
        found = self.readings(backbone)
        self._lengths = np.array([len(reading.ids) for reading in found])
        return found

    def batches(self, rows: Sequence[int], size: int, rng: np.random.Generator) -> list[list[int]]:
        return batches(list(rows), self._lengths, size, rng)

    def answers(
        self, top: Tensor, packing: Packing, rows: Sequence[int], head: Tensor, bias: Tensor, /
    ) -> Tensor:
        return F.linear(self.pool(top, packing, rows), head, bias)
