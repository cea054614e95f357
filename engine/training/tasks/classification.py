"""One label for each text, or pair of texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading, Text, read_texts
from engine.training.confusion import confusion
from engine.training.per_class import per_class
from engine.training.tasks.headed import Headed
from engine.training.tasks.task import Score


class Classification(Headed):
    """Rows of (text or pair, label), every label one of `labels`."""

    metric = "accuracy"
    scale = None

    def __init__(
        self,
        labels: tuple[str, ...],
        rows: Sequence[tuple[Text, str]],
        class_weights: str = "none",
    ) -> None:
        order = {label: i for i, label in enumerate(labels)}
        self._labels = labels
        self._texts = [text for text, _ in rows]
        self._targets = np.array([order[label] for _, label in rows], dtype=np.int64)
        self._weights = _weights(self._targets, len(labels), class_weights)

    @property
    def outputs(self) -> int:
        return len(self._labels)

    @property
    def groups(self) -> NDArray[np.int64]:
        return self._targets

    def readings(self, backbone: Backbone) -> list[Reading]:
        return read_texts(backbone, self._texts)

    def pool(self, top: Tensor, packing: Packing, _rows: Sequence[int], /) -> Tensor:
        return packing.mean(top)

    def loss(self, logits: Tensor, rows: Sequence[int], /) -> Tensor:
        targets = torch.from_numpy(self._targets[rows]).to(logits.device)
        weights = None if self._weights is None else self._weights.to(logits.device)
        return F.cross_entropy(logits, targets, weights)

    def score(self, logits: Tensor, rows: Sequence[int], /) -> Score:
        targets, predicted = self._targets[rows], logits.argmax(-1).numpy()
        accuracy = float((predicted == targets).mean()) if len(targets) else 0.0
        return Score(
            accuracy,
            {"accuracy": accuracy},
            confusion(targets, predicted, self._labels),
            per_class(targets, predicted, self._labels),
        )


def _weights(targets: NDArray[np.int64], labels: int, way: str) -> Tensor | None:
    """(C,) how much a row of each label counts: "balanced" makes all labels count the same in sum,
    "sqrt" goes half the way; 1 on average over the rows. None for "none"."""
    if way == "none":
        return None
    counts = np.maximum(np.bincount(targets, minlength=labels), 1).astype(np.float64)
    weights = counts ** {"balanced": -1.0, "sqrt": -0.5}[way]
    return torch.from_numpy(weights / weights[targets].mean()).float()
