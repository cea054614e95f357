"""The pipeline's three stages as functions of a batch: retrieve, load, compute.

Each is timed by whoever runs it. They share nothing but the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.knowledge.retrieve import retrieve_all
from engine.knowledge.retrieved import together
from engine.memory.tiers import AdapterTiers
from engine.model.backbone import Backbone
from engine.model.batched import BatchedAdapters
from engine.model.packing import Packing, rounded
from engine.serving.batch import Batch, Group
from engine.serving.tasks import values_of


def retrieve_stage(batch: Batch) -> None:
    """Token ids -> table rows, on the CPU, for every group that is not exact."""
    groups = [group for group in batch.groups if group.knowledge is not None]
    for group, found in zip(groups, retrieve_all([g.asked() for g in groups]), strict=True):
        group.retrieved = found


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
    """Upper layers and heads: each work's values, empty where its adapter failed."""
    for arrival in batch.arrivals:
        arrival.wait()
    works = batch.works
    packing = _packing([len(w.ids) for w in works], backbone)
    # Domains that share a bridge cross it together: a product of few rows is dear.
    alike = [list(groups) for _, groups in groupby(batch.groups, key=_bridge)]
    states = torch.cat([_lower(groups, backbone) for groups in alike])
    states = F.pad(states, (0, 0, 0, packing.total - len(states)))
    # A text whose adapter failed rides along in slot 0, as a row that belongs to nobody does; its
    # result is never looked at.
    held = [batch.slots.get(w.model.adapter) for w in works]
    slots = [slot or 0 for slot in held]
    slots += [0] * (packing.rows - len(slots))
    arena = tiers.arena
    top = backbone.upper(states, packing, BatchedAdapters(arena.weights, slots, packing))
    return values_of(works, held, top, packing, backbone, arena)


def _bridge(group: Group) -> int | None:
    """Tells bridges apart; None in exact mode."""
    return None if group.knowledge is None else id(group.knowledge.bridge)


def _packing(lengths: list[int], backbone: Backbone, seconds: Sequence[int] = ()) -> Packing:
    sizes = rounded(lengths) if backbone.compiles else lengths
    return Packing.of(sizes, backbone.device, seconds)


def _lower(groups: list[Group], backbone: Backbone) -> Tensor:
    """The hidden state of layer k, packed (T, H), of groups that come by it in one way."""
    lengths = [length for group in groups for length in group.lengths]
    packing = _packing(lengths, backbone, [at for group in groups for at in group.seconds])
    knowledge = groups[0].knowledge
    if knowledge is None:
        ids = np.zeros(packing.total, dtype=np.int64)
        np.concatenate([group.ids for group in groups], out=ids[: sum(lengths)])
        states = backbone.lower(torch.from_numpy(ids).to(packing.device), packing)
    else:
        found = [group.retrieved for group in groups if group.retrieved is not None]
        assert len(found) == len(groups), "retrieve comes before compute"
        states = knowledge.assemble(together(found), packing)
    return states[: sum(lengths)]
