"""Small adapters that can be told apart, and a look into an arena's slot."""

from __future__ import annotations

import pytest
import torch

from engine.memory.arena import AdapterArena
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter

SHAPE = AdapterShape(layers=2, hidden=4, rank=3)


def made(seed: int, labels: int = 2, rank: int = 3) -> AdapterWeights:
    """An adapter unlike any of another seed, biases included."""
    generator = torch.Generator().manual_seed(seed)
    fresh = random_adapter(AdapterShape(SHAPE.layers, SHAPE.hidden, rank), labels, generator)
    for tensor in fresh.tensors().values():
        tensor.add_(torch.rand(tensor.shape, generator=generator))
    return fresh


def arena_of(slots: int) -> AdapterArena:
    one = AdapterArena(SHAPE, 0, torch.device("cpu"), torch.float32)
    return AdapterArena(SHAPE, slots * one.slot_bytes, torch.device("cpu"), torch.float32)


def holds(arena: AdapterArena, slot: int, adapter: AdapterWeights) -> bool:
    """Whether the slot's whole content is that adapter, padded with zeros to the arena's rank."""
    w, shape, rank = arena.weights, arena.shape, adapter.shape.rank
    places = shape.layers * 2
    down = torch.zeros(places, shape.hidden, shape.rank)
    down_bias, up = torch.zeros(places, shape.rank), torch.zeros(places, shape.rank, shape.hidden)
    down[..., :rank] = adapter.down.flatten(0, 1)
    down_bias[..., :rank] = adapter.down_bias.flatten(0, 1)
    up[:, :rank] = adapter.up.flatten(0, 1)
    rows = torch.from_numpy(arena.head_rows(slot))
    return (
        torch.equal(w.down[:, slot], down)
        and torch.equal(w.down_bias[:, slot], down_bias)
        and torch.equal(w.up[:, slot], up)
        and torch.equal(w.up_bias[:, slot], adapter.up_bias.flatten(0, 1))
        and torch.equal(arena.heads.weight[rows], adapter.head)
        and torch.equal(arena.heads.bias[rows], adapter.head_bias)
    )


@pytest.fixture
def arena() -> AdapterArena:
    return arena_of(3)
