"""How one adapter is trained: the hyperparameters, and the optimizers that torch carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

Optimizer = torch.optim.Optimizer

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "sgd": partial(torch.optim.SGD, momentum=0.9),
    "adafactor": torch.optim.Adafactor,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "adamax": torch.optim.Adamax,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
}


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """Two runs of one plan on the same rows and start give the same bits on one machine.

    `warmup` is a share of all steps; `patience` the epochs without a better held-out metric after
    which a run ends with the best epoch's weights, 0 for never.
    """

    epochs: int = 3
    lr: float = 2e-3
    batch_size: int = 32
    optimizer: str = "adamw"
    schedule: str = "linear"
    warmup: float = 0.05
    weight_decay: float = 0.01
    dropout: float = 0.0
    """Of the bottlenecks' narrow sides."""
    class_weights: str = "none"
    patience: int = 0
    seed: int = 0
    mode: str = "plot"
    """The vPLM's own mode, in which held-out rows are predicted."""

    def optimizer_of(self, parameters: Sequence[Tensor]) -> Optimizer:
        """A fresh optimizer; the rate is set before every step."""
        return OPTIMIZERS[self.optimizer](
            list(parameters), lr=self.lr, weight_decay=self.weight_decay
        )
