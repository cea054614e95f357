"""What the training loop asks of a task, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
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

    What a model says to rows are V answers of `outputs` numbers each: one answer a row in most
    tasks, one a word or a token in some.
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
        """C, the numbers of an answer."""
        ...

    def split(self, seed: int) -> tuple[list[int], list[int]]:
        """Rows to train on and to hold out, about a tenth, fixed by the seed."""
        ...

    def batches(self, rows: Sequence[int], size: int, rng: np.random.Generator) -> list[list[int]]:
        """`rows` in a random order, about `size` of them a step; as many steps whatever `rng`."""
        ...

    def read(self, backbone: Backbone) -> list[Reading]:
        """All rows' texts as the backbone reads them. Comes before `batches`."""
        ...

    def answers(
        self, top: Tensor, packing: Packing, rows: Sequence[int], head: Tensor, bias: Tensor, /
    ) -> Tensor:
        """The last layer's states (T, H) of `rows` -> what is said to them (V, C) float32, by the
        adapter's `head` (C, H) and `bias` (C,) if the task has use for them."""
        ...

    def loss(self, answers: Tensor, rows: Sequence[int], /) -> Tensor:
        """What the answers (V, C) float32 to `rows` miss their targets by; a mean, ()."""
        ...

    def score(self, answers: Tensor, rows: Sequence[int], /) -> Score:
        """Answers (V, C) float32 to `rows`, on the host, held against their targets."""
        ...
