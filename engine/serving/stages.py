"""The pipeline's three stages as functions of a batch: retrieve, load, compute.

Each is timed by whoever runs it. They share nothing but the batch.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from engine.knowledge.retrieve import retrieve, together
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
    # Domains that share a bridge cross it together: a product of few rows is dear.
    alike = [list(groups) for _, groups in groupby(batch.groups, key=_bridge)]
    states = torch.cat([_lower(groups, backbone, packing.device) for groups in alike])
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


def _bridge(group: Group) -> int | None:
    """Tells bridges apart; None in exact mode."""
    return None if group.knowledge is None else id(group.knowledge.bridge)


def _lower(groups: list[Group], backbone: Backbone, device: torch.device) -> Tensor:
    """The hidden state of layer k, packed (T, H), of groups that come by it in one way."""
    packing = Packing.of([length for group in groups for length in group.lengths], device)
    knowledge = groups[0].knowledge
    if knowledge is None:
        ids = np.concatenate([group.ids for group in groups])
        return backbone.lower(torch.from_numpy(ids).to(device), packing)
    found = [group.retrieved for group in groups if group.retrieved is not None]
    assert len(found) == len(groups), "retrieve comes before compute"
    return knowledge.assemble(together(found), packing)
