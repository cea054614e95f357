from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.errors import BadInput
from engine.model.kv_pool import PAGE, KvPool, Lease
from engine.model.layers import Shape

SHAPE = Shape(layers=4, hidden=8, heads=2, intermediate=16, vocab=50, positions=64, eps=1e-5)
PAGES = 24


def pool_of(pages: int) -> KvPool:
    return KvPool(pages * 2 * PAGE * SHAPE.hidden * 4, SHAPE)


class Sequences(RuleBasedStateMachine):
    """Sequences come, grow and go in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = pool_of(PAGES)
        self.leases: list[Lease] = []

    @rule(layers=st.integers(1, 4), tokens=st.integers(1, 5 * PAGE))
    def comes(self, layers: int, tokens: int) -> None:
        free = self.pool.free_pages
        lease = self.pool.admit(layers, tokens)
        needed = self.pool.need(layers, tokens)
        assert (lease is None) == (needed > free)
        if lease is not None:
            assert (lease.layers, self.pool.free_pages) == (layers, free - needed)
            assert tokens <= lease.tokens < tokens + PAGE
            self.leases.append(lease)

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), tokens=st.integers(1, 8 * PAGE))
    def grows(self, data: st.DataObject, tokens: int) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        before, free = lease.table.copy(), self.pool.free_pages
        needed = self.pool.need(lease.layers, tokens) - before.size
        assert self.pool.grow(lease, tokens) == (needed <= free)
        assert np.array_equal(lease.table[:, : before.shape[1]], before)
        assert self.pool.free_pages == free - (lease.table.size - before.size)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def goes(self, data: st.DataObject) -> None:
        lease = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        free, held = self.pool.free_pages, lease.table.size
        self.pool.free(lease)
        self.pool.free(lease)
        assert self.pool.free_pages == free + held

    @invariant()
    def no_page_belongs_to_two_and_none_is_lost(self) -> None:
        held = [page for lease in self.leases for page in lease.table.ravel().tolist()]
        assert len(held) == len(set(held))
        assert all(0 <= page < PAGES for page in held)
        assert self.pool.free_pages == PAGES - len(held)
        assert self.pool.used_bytes == len(held) * self.pool.page_bytes

    @invariant()
    def pages_that_read_as_one_run_are_one(self) -> None:
        for lease in self.leases:
            for layer in range(lease.layers):
                start = lease.start(layer)
                run = np.arange(lease.table.shape[1]) + lease.table[layer, 0]
                assert (start is not None) == np.array_equal(lease.table[layer], run)


test_no_page_is_shared_and_none_leaks_whatever_comes_and_goes = Sequences.TestCase
test_no_page_is_shared_and_none_leaks_whatever_comes_and_goes.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None
)


@given(st.integers(1, 3), st.integers(1, 60), st.data())
def test_every_token_of_every_layer_has_a_place_of_its_own(
    layers: int, tokens: int, data: st.DataObject
) -> None:
    lease = pool_of(PAGES).admit(layers, tokens)
    assert lease is not None
    places = lease.places(0, tokens)
    assert places.shape == (layers, tokens)
    assert len(np.unique(places)) == layers * tokens
    split = data.draw(st.integers(0, tokens))
    parts = [lease.places(0, split), lease.places(split, tokens)]
    assert np.array_equal(np.concatenate(parts, axis=1), places)


def test_a_text_that_never_fits_is_refused_with_the_numbers() -> None:
    with pytest.raises(BadInput, match="of the generators' cache") as caught:
        pool_of(3).admit(2, 40)
    assert caught.value.code == "cache_too_small"


def test_a_budget_below_one_page_is_refused() -> None:
    with pytest.raises(BadInput, match="one page"):
        KvPool(100, SHAPE)


def test_the_budget_is_held() -> None:
    pool = KvPool(100_000, SHAPE, dtype=torch.bfloat16)
    assert pool.store.nbytes == pool.nbytes <= 100_000 < pool.nbytes + pool.page_bytes


def test_after_others_have_left_gaps_a_sequence_takes_scattered_pages() -> None:
    pool = pool_of(6)
    leases = [pool.admit(1, PAGE) for _ in range(6)]
    for lease in leases[::2]:
        assert lease is not None
        pool.free(lease)
    scattered = pool.admit(1, 3 * PAGE)
    assert scattered is not None
    assert scattered.table.tolist() == [[0, 2, 4]]
    assert scattered.start(0) is None
