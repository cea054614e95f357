from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.model.cached import CachedRows
from engine.model.decoder import Decoder
from engine.model.kv_pool import PAGE, KvPool, Lease
from engine.model.packing import Packing

ATOL = 1e-5
"""Float32; sums are taken in another order."""


def _whole(decoder: Decoder, row: list[int]) -> Tensor:
    """(T, V) without any cache."""
    packing = Packing.of([len(row)])
    return decoder.logits(decoder.upper(decoder.lower(torch.tensor(row), packing), packing))


def _on(
    decoder: Decoder,
    pool: KvPool,
    leases: list[Lease],
    done: list[int],
    new: list[list[int]],
    *,
    in_turn: bool | None,
    spare: int = 0,
) -> list[Tensor]:
    """Logits of the new tokens of each sequence."""
    counts = [len(each) for each in new]
    rows = CachedRows(pool, leases, done, counts, places=sum(counts) + spare, in_turn=in_turn)
    ids = torch.tensor([t for each in new for t in each] + [0] * spare)
    x = decoder.upper_on(decoder.lower_on(ids, rows), rows)
    return list(torch.split(decoder.logits(x)[: sum(counts)], counts))


def _leases(decoder: Decoder, pool: KvPool, tokens: list[int], *, scattered: bool) -> list[Lease]:
    layers = decoder.shape.layers
    leases = []
    for each in tokens:
        lease = pool.admit(layers, PAGE if scattered else each)
        assert lease is not None
        leases.append(lease)
    for lease, each in zip(leases, tokens, strict=True):
        assert pool.grow(lease, each)
    return leases


sequences = st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=45), min_size=1, max_size=4)


@pytest.mark.parametrize("in_turn", [True, False, None], ids=["in turn", "at once", "as liked"])
@pytest.mark.parametrize("scattered", [False, True], ids=["in runs", "scattered"])
@settings(max_examples=6, deadline=None)
@given(rows=sequences, seed=st.integers(0, 999))
@torch.inference_mode()
def test_prompts_in_chunks_beside_single_steps_equal_the_whole_text_at_once(
    decoder: Decoder, in_turn: bool | None, scattered: bool, rows: list[list[int]], seed: int
) -> None:
    pool = KvPool(1 << 20, decoder.shape)
    leases = _leases(decoder, pool, [len(row) for row in rows], scattered=scattered)
    generator = torch.Generator().manual_seed(seed)
    found: list[list[Tensor]] = [[] for _ in rows]
    done = [0] * len(rows)
    while any(at < len(row) for at, row in zip(done, rows, strict=True)):
        sizes = torch.randint(0, 9, (len(rows),), generator=generator).tolist()
        sizes = [1 if size > 6 else size for size in sizes]
        now = [i for i, row in enumerate(rows) if done[i] < len(row) and sizes[i]]
        if not now:
            continue
        parts = [rows[i][done[i] : done[i] + sizes[i]] for i in now]
        logits = _on(
            decoder,
            pool,
            [leases[i] for i in now],
            [done[i] for i in now],
            parts,
            in_turn=in_turn,
            spare=seed % 3,
        )
        for i, part, each in zip(now, parts, logits, strict=True):
            found[i].append(each)
            done[i] += len(part)
    for row, parts_of in zip(rows, found, strict=True):
        assert torch.allclose(torch.cat(parts_of), _whole(decoder, row), atol=ATOL)


@torch.inference_mode()
def test_pages_that_others_have_used_before_leave_nothing_behind(decoder: Decoder) -> None:
    layers = decoder.shape.layers
    pool = KvPool(layers * 2 * KvPool(1 << 20, decoder.shape).page_bytes, decoder.shape)
    row = [7, 8, 9, 10, 11]
    for before in ([99] * 30, [3, 1, 4] * 10, row):
        lease = pool.admit(layers, len(before))
        assert lease is not None
        [found] = _on(decoder, pool, [lease], [0], [before], in_turn=False)
        pool.free(lease)
    assert torch.allclose(found, _whole(decoder, row), atol=ATOL)


@torch.inference_mode()
def test_upper_layers_are_shared_by_sequences_with_different_lower_ones(decoder: Decoder) -> None:
    """A lease of the upper layers alone beside one of all."""
    pool = KvPool(1 << 20, decoder.shape)
    rows = [[5, 6, 7, 8], [9, 10, 11]]
    whole, upper = decoder.shape.layers, decoder.shape.layers - decoder.split
    leases = [pool.admit(whole, 4), pool.admit(upper, 3)]
    assert leases[0] is not None
    assert leases[1] is not None
    states = []
    for row in rows:
        packing = Packing.of([len(row)])
        states.append(decoder.lower(torch.tensor(row), packing))
    for in_turn in (True, False, None):
        cached = CachedRows(pool, [leases[0], leases[1]], [0, 0], [4, 3], in_turn=in_turn)
        found = torch.split(decoder.logits(decoder.upper_on(torch.cat(states), cached)), [4, 3])
        for row, each in zip(rows, found, strict=True):
            assert torch.allclose(each, _whole(decoder, row), atol=ATOL)
