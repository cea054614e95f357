from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.model.layers import mix_in_turn, mix_padded, mix_plainly, mix_rows
from engine.model.packing import Packing

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(lengths)
def test_attention_row_after_row_equals_attention_in_one_padded_call(sizes: list[int]) -> None:
    generator = torch.Generator().manual_seed(sum(sizes))
    qkv = torch.randn(sum(sizes), 3, 2, 4, generator=generator)
    packing = Packing.of(sizes)
    assert torch.allclose(mix_in_turn(qkv, packing), mix_padded(qkv, packing), atol=1e-6)


@given(lengths, st.integers(0, 7))
def test_what_a_row_hears_is_the_same_to_the_last_bit_in_any_company(
    sizes: list[int], which: int
) -> None:
    which %= len(sizes)
    qkv = torch.randn(sum(sizes), 3, 2, 4, generator=torch.Generator().manual_seed(1))
    mixed = torch.split(mix_in_turn(qkv, Packing.of(sizes)), sizes)[which]
    alone = mix_in_turn(
        torch.split(qkv, sizes)[which].clone(), Packing.of(sizes[which : which + 1])
    )
    assert torch.equal(mixed, alone)


@pytest.mark.parametrize("sizes", [[5, 5, 5], [3, 7, 5, 6]])
def test_attention_that_learns_is_the_same_attention(sizes: list[int]) -> None:
    packing = Packing.of(sizes)
    qkv = torch.randn(packing.total, 3, 4, 8, generator=torch.Generator().manual_seed(0))
    plain, fused = (qkv.clone().requires_grad_() for _ in range(2))
    left, right = mix_plainly(plain, packing), mix_padded(fused, packing)
    torch.testing.assert_close(left, right)
    for mixed in (left, right):
        (mixed * torch.arange(mixed.numel()).view_as(mixed)).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(plain.grad, fused.grad, rtol=1e-4, atol=1e-3)
    brief = qkv.bfloat16().requires_grad_()
    assert mix_rows(brief, packing).grad_fn is not None
    torch.testing.assert_close(mix_rows(brief, packing).float(), right, rtol=0.05, atol=0.05)
