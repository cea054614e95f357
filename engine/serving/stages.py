"""The pipeline's three stages as functions of a batch: retrieve, load, compute.

Each is timed by whoever runs it. They share nothing but the batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.knowledge.retrieve import retrieve
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import BatchedAdapters
from engine.model.backbone import Backbone
from engine.model.heads import classify
from engine.model.packing import Packing
from engine.serving.batch import Batch, Group


def retrieve_stage(batch: Batch) -> None:
    """Token ids -> table rows, on the CPU, for every group that is not exact."""
    for group in batch.groups:
        if group.knowledge is not None:
            lengths = np.array(group.lengths, dtype=np.int64)
            group.retrieved = retrieve(group.ids, lengths, group.knowledge, group.miss)


def load_stage(batch: Batch, tiers: AdapterTiers, adapters: list[str]) -> None:
    """The batch's `adapters` -> slots, held until the batch is done."""
    residence = tiers.ensure_resident(adapters)
    for adapter, slot in zip(adapters, residence.slots, strict=True):
        if slot is None:
            batch.errors[adapter] = residence.errors[adapter]
        else:
            batch.slots[adapter] = slot
            batch.errors.pop(adapter, None)
    batch.arrivals.append(residence.arrival)


@torch.inference_mode()
def compute_stage(batch: Batch, backbone: Backbone, tiers: AdapterTiers) -> list[list[float]]:
    """Upper layers and heads: each work's probabilities, empty where its adapter failed."""
    device = backbone.device
    for arrival in batch.arrivals:
        arrival.wait()
    works = batch.works
    packing = batch.packing(str(device))
    states = torch.cat([_lower(group, backbone, packing.device) for group in batch.groups])
    # A text whose adapter failed rides along in slot 0; its result is never looked at.
    slots = [batch.slots.get(w.model.adapter, 0) for w in works]
    arena = tiers.arena
    top = backbone.upper(states, packing, BatchedAdapters(arena.weights, slots, packing))
    loaded = [i for i, w in enumerate(works) if w.model.adapter in batch.slots]
    probs: list[list[float]] = [[] for _ in works]
    if loaded:
        pooled = packing.mean(top)[torch.tensor(loaded, device=device)]
        rows = [arena.head_rows(slots[i]) for i in loaded]
        for i, row in zip(loaded, classify(pooled, arena.heads, rows), strict=True):
            probs[i] = row.tolist()
    return probs


def _lower(group: Group, backbone: Backbone, device: torch.device) -> Tensor:
    """The group's hidden state of layer k, packed (T, H)."""
    packing = Packing.of(group.lengths, device)
    if group.knowledge is None:
        return backbone.lower(torch.from_numpy(group.ids).to(device), packing)
    assert group.retrieved is not None, "retrieve comes before compute"
    return group.knowledge.assemble(group.retrieved, packing)
