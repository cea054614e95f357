"""What the training loop asks of a task, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading


@dataclass(frozen=True, slots=True)
class Score:
    """How good predictions for held-out rows are.

    `value` is the task's own metric: more is better, and versions are compared by it. `measures`
    are all its metrics by name, the own one among them.
    """

    value: float
    measures: Mapping[str, float] = field(default_factory=dict)
    confusion: dict[str, Any] = field(default_factory=dict)
    """See engine.training.confusion; empty where the task has none."""
    classes: Sequence[dict[str, Any]] = ()
    """See engine.training.per_class; empty where the task has none."""


class Task(Protocol):
    """A dataset's rows with their targets. Its methods take numbers of rows, from 0.

    A head turns each vector (H,) that `pool` gives into `outputs` numbers, the logits: one vector
    a row in most tasks, one a word in some.
    """

    metric: str
    """The own metric in words, as in "held-out accuracy"."""

    @property
    def scale(self) -> Tensor | None:
        """(2, C) to keep with the head, where its answers are not the targets themselves; see
        AdapterWeights."""
        ...

    @property
    def outputs(self) -> int:
        """C, the rows of its head."""
        ...

    @property
    def groups(self) -> NDArray[np.int64]:
        """(N,) for each row the group of which a share is held out."""
        ...

    def read(self, backbone: Backbone) -> list[Reading]:
        """All rows' texts as the backbone reads them."""
        ...

    def pool(self, top: Tensor, packing: Packing, rows: Sequence[int], /) -> Tensor:
        """The last layer's states (T, H) of `rows` -> the head's input (V, H) float32."""
        ...

    def loss(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        """What the logits (V, C) float32 of `rows` miss their targets by; a mean, ()."""
        ...

    def score(self, logits: Tensor, rows: Sequence[int]) -> Score:
        """Logits (V, C) float32 of `rows`, on the host, held against their targets."""
        ...
