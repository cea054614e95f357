"""The other side: the same backbone as transformers runs it, padded, for one tenant alone."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import torch

from engine.model.backbone import Backbone


class PlainTransformers:
    """BertModel, a mean over the tokens and one head; no adapters, no tables, no tenants."""

    def __init__(self, backbone: Backbone, labels: int, seed: int) -> None:
        transformers: Any = importlib.import_module("transformers")
        self._model = transformers.BertModel.from_pretrained(
            backbone.checkpoint.folder,
            local_files_only=True,
            use_safetensors=True,
            add_pooling_layer=False,
            dtype=backbone.dtype,
        )
        self._model.to(backbone.device).eval()
        generator = torch.Generator().manual_seed(seed)
        head = torch.randn(labels, backbone.shape.hidden, generator=generator)
        self._head = head.to(backbone.device)
        self._device = backbone.device

    @torch.inference_mode()
    def run(self, rows: Sequence[list[int]]) -> list[list[float]]:
        """Probabilities of a batch of token ids."""
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        ids, mask = ids.to(self._device), mask.to(self._device)
        top = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooled = (top * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        probs: list[list[float]] = (pooled @ self._head.T).softmax(-1).cpu().tolist()
        return probs
