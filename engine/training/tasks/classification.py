"""One label for each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading, read_texts
from engine.training.confusion import confusion
from engine.training.tasks.task import Score


class Classification:
    """Rows of (text, label), every label one of `labels`."""

    metric = "accuracy"

    def __init__(self, labels: tuple[str, ...], rows: Sequence[tuple[str, str]]) -> None:
        order = {label: i for i, label in enumerate(labels)}
        self._labels = labels
        self._texts = [text for text, _ in rows]
        self._targets = np.array([order[label] for _, label in rows], dtype=np.int64)

    @property
    def outputs(self) -> int:
        return len(self._labels)

    @property
    def groups(self) -> NDArray[np.int64]:
        return self._targets

    def read(self, backbone: Backbone) -> list[Reading]:
        return read_texts(backbone, self._texts)

    def pool(self, top: Tensor, packing: Packing, _rows: Sequence[int], /) -> Tensor:
        return packing.mean(top)

    def loss(self, logits: Tensor, rows: Sequence[int]) -> Tensor:
        return F.cross_entropy(logits, torch.from_numpy(self._targets[rows]).to(logits.device))

    def score(self, logits: Tensor, rows: Sequence[int]) -> Score:
        targets, predicted = self._targets[rows], logits.argmax(-1).numpy()
        accuracy = float((predicted == targets).mean()) if len(targets) else 0.0
        return Score(accuracy, {"accuracy": accuracy}, confusion(targets, predicted, self._labels))
