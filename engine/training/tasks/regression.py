"""Numbers for each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput
from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading, Text, read_texts
from engine.training.tasks.headed import Headed
from engine.training.tasks.task import Score


class Regression(Headed):
    """Rows of (text, numbers), as many in each as there are `labels`, their names.

    The head learns them in units of their spread about their mean, whatever their size is; the
    `scale` (2, C) to turn its answers into the numbers themselves is kept with it.
    """

    metric = "rank correlation (Spearman)"

    def __init__(
        self, labels: tuple[str, ...], rows: Sequence[tuple[Text, tuple[float, ...]]]
    ) -> None:
        check_count(len(rows[0][1]), labels)
        self._texts = [text for text, _ in rows]
        self._targets = np.array([numbers for _, numbers in rows], dtype=np.float64)
        spread = self._targets.std(0)
        if not spread.any():
            raise BadInput(
                "Every row of the dataset has the same numbers; there is nothing to learn.",
                remedy="Give a dataset whose numbers differ.",
                code="one_label",
            )
        self._mean, self._unit = self._targets.mean(0), np.where(spread > 0, spread, 1.0)

    @property
    def outputs(self) -> int:
        return int(self._targets.shape[1])

    @property
    def scale(self) -> Tensor:
        return torch.from_numpy(np.stack([self._mean, self._unit])).float()

    @property
    def groups(self) -> NDArray[np.int64]:
        """By fifths of the first number, so that its whole range is held out."""
        ranked = ranks(self._targets[:, 0])
        return (5 * ranked / len(ranked)).astype(np.int64)

    def readings(self, backbone: Backbone) -> list[Reading]:
        return read_texts(backbone, self._texts)

    def pool(self, top: Tensor, packing: Packing, _rows: Sequence[int], /) -> Tensor:
        return packing.mean(top)

    def loss(self, logits: Tensor, rows: Sequence[int], /) -> Tensor:
        wanted = (self._targets[rows] - self._mean) / self._unit
        return F.mse_loss(logits, torch.from_numpy(wanted).to(logits.device, torch.float32))

    def score(self, logits: Tensor, rows: Sequence[int], /) -> Score:
        wanted = self._targets[rows]
        found = logits.double().numpy() * self._unit + self._mean
        if not len(wanted):
            return Score(0.0)
        each = [spearman(wanted[:, i], found[:, i]) for i in range(self.outputs)]
        value = float(np.mean(each))
        rmse = float(np.sqrt(((wanted - found) ** 2).mean()))
        return Score(value, {"spearman": value, "rmse": rmse})


def check_count(given: int, labels: tuple[str, ...]) -> None:
    """BadInput unless rows of `given` numbers can train a vPLM that predicts `labels`."""
    if given != len(labels):
        raise BadInput(
            f"The dataset's rows have {given} numbers each; the vPLM predicts {len(labels)}: "
            f"{', '.join(labels[:10])}.",
            remedy="Create the vPLM with a name for each number (--labels), or mend the dataset.",
            code="number_count",
        )


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) each value's rank from 0; equal ones share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[which])


def spearman(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """The correlation of two rankings, -1 to 1; 0 where one of them is all ties."""
    a, b = (each - each.mean() for each in (ranks(left), ranks(right)))
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size else 0.0
