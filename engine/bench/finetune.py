"""Full fine-tuning of the same backbone on the same rows: what adapters are measured against.

It runs on this project's own layers, without padding, and so is quicker than a plain trainer's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.layers import LayerWeights, run_layer
from engine.model.packing import Packing, rounded
from engine.model.reading import Reading
from engine.training.plan import TrainPlan
from engine.training.schedule import batches, set_rate
from engine.training.tasks.task import Score, Task

_TEXTS = 64


class FineTuning(nn.Module):
    """Every weight of the backbone and a head learn, from float32 copies, computed in the
    backbone's dtype."""

    def __init__(
        self, backbone: Backbone, task: Task, readings: Sequence[Reading], plan: TrainPlan
    ) -> None:
        super().__init__()
        self._backbone, self._task, self._plan = backbone, task, plan
        self._rows = [reading.ids for reading in readings]
        self._lengths = np.array([len(row) for row in self._rows])
        e = backbone.embeddings
        known = e.tensors()
        self.embeddings = nn.ParameterDict(
            {n: nn.Parameter(t.float().clone()) for n, t in known.items() if t is not None}
        )
        self.blocks = nn.ModuleList(layer.trainable() for layer in backbone.layers)
        torch.manual_seed(plan.seed)
        self.head = nn.Linear(backbone.shape.hidden, task.outputs).to(backbone.device)
        self.optimizer = plan.optimizer_of(list(self.parameters()))

    def logits(self, rows: list[int]) -> Tensor:
        """(V, C) float32; see Task."""
        backbone, shape, e = self._backbone, self._backbone.shape, self.embeddings
        lengths = [len(self._rows[i]) for i in rows]
        whole = rounded(lengths) if backbone.compiles else lengths
        packing = Packing.of(whole, backbone.device)
        ids = [token for i in rows for token in self._rows[i]]
        ids += [0] * (packing.total - len(ids))
        tokens = torch.tensor(ids, device=backbone.device)
        x = F.embedding(tokens, e["word"]) + F.embedding(packing.position, e["position"])
        x = F.layer_norm(x + e["segment"], (shape.hidden,), e["norm"], e["norm_bias"], shape.eps)
        x = x.to(backbone.dtype)
        for block in self.blocks:
            weights = LayerWeights.of(block).to(backbone.device, backbone.dtype)
            x = run_layer(weights, x, packing, shape)
        own = Packing.of(lengths, backbone.device)
        head = (self.head.weight, self.head.bias)
        return self._task.answers(x[: sum(lengths)], own, rows, *head)

    def epoch(self, number: int, training: list[int]) -> list[list[int]]:
        """Its batches, in their order."""
        rng = np.random.default_rng([self._plan.seed, 2, number])
        return batches(training, self._lengths, self._plan.batch_size, rng)

    def learn(self, rows: list[int], share: float) -> None:
        """One step; `share` of all steps is done."""
        plan = self._plan
        loss = self._task.loss(self.logits(rows), rows)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters(), 1.0)
        set_rate(self.optimizer, plan.lr, share, plan.schedule, plan.warmup)
        self.optimizer.step()

    @torch.no_grad()
    def score(self, rows: list[int]) -> Score:
        parts = [self.logits(rows[i : i + _TEXTS]).cpu() for i in range(0, len(rows), _TEXTS)]
        return self._task.score(torch.cat(parts), rows)
