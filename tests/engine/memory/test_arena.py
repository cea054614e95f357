from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import BadInput, Unavailable
from engine.memory.arena import HEAD_ROWS_PER_SLOT, AdapterArena
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights, random_adapter
from engine.model.batched import BatchedAdapters, bottleneck
from engine.model.packing import Packing
from tests.engine.memory.conftest import SHAPE, arena_of, holds, made

POOL = 4096


class ArenaMachine(RuleBasedStateMachine):
    """Puts and removes in any order; every slot holds what was put, and nothing is shared."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = arena_of(4)
        self.inside: dict[int, AdapterWeights] = {}

    @rule(
        seed=st.integers(0, 10_000),
        labels=st.sampled_from([2, 3, 40, 1500, 2000, POOL]),
        rank=st.integers(1, SHAPE.rank),
    )
    def put(self, seed: int, labels: int, rank: int) -> None:
        adapter = made(seed, labels, rank)
        used = sum(a.labels for a in self.inside.values())
        fits = len(self.inside) < self.arena.slots and used + labels <= POOL
        assert self.arena.fits(labels) == fits
        if not fits:
            with pytest.raises(Unavailable):
                self.arena.put(adapter)
            return
        slot = self.arena.put(adapter)
        assert slot not in self.inside
        assert 1 <= slot <= self.arena.slots
        self.inside[slot] = adapter

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        slot = data.draw(st.sampled_from(sorted(self.inside)))
        del self.inside[slot]
        self.arena.remove(slot)

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), labels=st.integers(2, POOL))
    def fits_says_what_removing_would_free(self, data: st.DataObject, labels: int) -> None:
        gone = data.draw(st.lists(st.sampled_from(sorted(self.inside)), unique=True))
        kept = [a.labels for slot, a in self.inside.items() if slot not in gone]
        room = len(kept) < self.arena.slots and sum(kept) + labels <= POOL
        assert self.arena.fits(labels, gone) == room

    @invariant()
    def every_slot_holds_what_was_put_and_slot_0_is_the_base_model(self) -> None:
        assert all(holds(self.arena, slot, a) for slot, a in self.inside.items())
        w = self.arena.weights
        for tensor in (w.down, w.down_bias, w.up, w.up_bias):
            assert not tensor[:, 0].any()

    @invariant()
    def head_rows_are_never_shared_or_lost(self) -> None:
        rows = [self.arena.head_rows(slot) for slot in self.inside]
        free = self.arena._free_rows[: self.arena._rows_left]
        assert sorted(np.concatenate([*rows, free]).tolist()) == list(range(POOL))


TestAnyOrderOfPutsAndRemoves = ArenaMachine.TestCase
TestAnyOrderOfPutsAndRemoves.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None
)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_adapter_of_lower_rank_answers_as_it_would_alone(rank: int, arena: AdapterArena) -> None:
    # Another adapter was there before and filled every number of the slot.
    arena.remove(arena.put(made(1, labels=5)))
    adapter = made(2, rank=rank)
    slot = arena.put(adapter)
    x = torch.randn(7, SHAPE.hidden)
    adapt = BatchedAdapters(arena.weights, [slot], Packing.of([7]))
    for layer in range(SHAPE.layers):
        for at, place in enumerate(PLACES):
            alone = bottleneck(
                x,
                adapter.down[layer, at],
                adapter.down_bias[layer, at],
                adapter.up[layer, at],
                adapter.up_bias[layer, at],
            )
            assert torch.allclose(adapt(x, layer, place), alone, atol=1e-6)


@pytest.mark.parametrize(
    "shape", [AdapterShape(3, 4, 3), AdapterShape(2, 5, 3), AdapterShape(2, 4, 4)]
)
def test_an_adapter_of_another_backbone_or_a_higher_rank_is_refused(
    shape: AdapterShape, arena: AdapterArena
) -> None:
    with pytest.raises(BadInput, match=f"rank {shape.rank}") as caught:
        arena.put(random_adapter(shape, 2, torch.Generator()))
    assert caught.value.code == "adapter_mismatch"
    assert arena._free_slots == [3, 2, 1]


def test_a_full_arena_says_so_and_takes_the_next_once_a_slot_is_free(arena: AdapterArena) -> None:
    slots = [arena.put(made(seed)) for seed in range(3)]
    assert sorted(slots) == [1, 2, 3]
    with pytest.raises(Unavailable) as caught:
        arena.put(made(9))
    assert caught.value.code == "arena_full"
    arena.remove(slots[1])
    assert arena.put(made(9)) == slots[1]
    assert holds(arena, slots[1], made(9))


def test_a_budget_buys_slots_and_never_none() -> None:
    assert [arena_of(n).slots for n in (1, 2, 17)] == [1, 2, 17]
    assert AdapterArena(SHAPE, 0, torch.device("cpu"), torch.float32).slots == 1
    half = AdapterArena(SHAPE, 0, torch.device("cpu"), torch.bfloat16)
    heads = HEAD_ROWS_PER_SLOT * (SHAPE.hidden + 1) * 4
    assert half.slot_bytes == SHAPE.parameters * 2 + heads


def test_the_arena_counts_all_the_memory_it_takes(arena: AdapterArena) -> None:
    slots = 4 * SHAPE.parameters * 4
    assert arena.nbytes == slots + POOL * (SHAPE.hidden + 1) * 4
