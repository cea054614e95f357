"""Any number of labels for each text."""

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
from engine.training.tasks.headed import Headed
from engine.training.tasks.task import Score


class Multilabel(Headed):
    """Rows of (text, labels), every one of them of `labels`; a label holds from one half on."""

    metric = "micro F1"
    scale = None

    def __init__(
        self, labels: tuple[str, ...], rows: Sequence[tuple[Text, tuple[str, ...]]]
    ) -> None:
        order = {label: i for i, label in enumerate(labels)}
        self._texts = [text for text, _ in rows]
        self._targets = np.zeros((len(rows), len(labels)), dtype=np.float32)
        for row, (_, found) in enumerate(rows):
            self._targets[row, [order[label] for label in found]] = 1

    @property
    def outputs(self) -> int:
        return self._targets.shape[1]

    @property
    def groups(self) -> NDArray[np.int64]:
        """By the rarest of a row's labels, so that rare ones are held out too."""
        rarity = np.where(self._targets > 0, self._targets.sum(0), np.inf)
        none = self._targets.sum(1) == 0
        return np.where(none, self.outputs, rarity.argmin(1)).astype(np.int64)

    def readings(self, backbone: Backbone) -> list[Reading]:
        return read_texts(backbone, self._texts)

    def pool(self, top: Tensor, packing: Packing, _rows: Sequence[int], /) -> Tensor:
        return packing.mean(top)

    def loss(self, logits: Tensor, rows: Sequence[int], /) -> Tensor:
        targets = torch.from_numpy(self._targets[rows]).to(logits.device)
        return F.binary_cross_entropy_with_logits(logits, targets)

    def score(self, logits: Tensor, rows: Sequence[int], /) -> Score:
        right, found = self._targets[rows] > 0, logits.numpy() >= 0
        hits, said, there = (each.sum(0) for each in (right & found, found, right))
        micro = f1(int(hits.sum()), int(said.sum()), int(there.sum()))
        counts = zip(hits, said, there, strict=True)
        # A label that nobody has and nobody was given says nothing.
        each = [f1(int(h), int(s), int(t)) for h, s, t in counts if s or t]
        macro = float(np.mean(each)) if each else 0.0
        exact = float((right == found).all(1).mean()) if len(right) else 0.0
        return Score(micro, {"micro_f1": micro, "macro_f1": macro, "all_labels_right": exact})


def f1(hits: int, said: int, there: int) -> float:
    """The harmonic mean of precision and recall: of `said`, and of `there`, `hits` are right."""
    return 2 * hits / (said + there) if said + there else 0.0
