from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.model.packing import Packing, round_up, rounded

lengths = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(lengths)
def test_padding_and_packing_are_inverse(sizes: list[int]) -> None:
    packing = Packing.of(sizes)
    packed = torch.randn(sum(sizes), 3)
    assert torch.equal(packing.pack(packing.pad(packed)), packed)


@given(lengths)
def test_every_place_knows_its_row_and_position(sizes: list[int]) -> None:
    packing = Packing.of(sizes)
    expected = [(row, at) for row, size in enumerate(sizes) for at in range(size)]
    found = list(zip(packing.row_of.tolist(), packing.position.tolist(), strict=True))
    assert found == expected


@given(lengths)
def test_the_mean_is_over_each_row_alone(sizes: list[int]) -> None:
    packed = torch.randn(sum(sizes), 4)
    rows = torch.split(packed, sizes)
    expected = torch.stack([row.mean(0) for row in rows])
    assert torch.allclose(Packing.of(sizes).mean(packed), expected, atol=1e-6)


@pytest.mark.parametrize("sizes", [[], [3, 0]])
def test_empty_rows_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="row"):
        Packing.of(sizes)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=200))
def test_rounded_rows_add_an_eighth_or_seven_places_at_most_and_no_longer_row(
    sizes: list[int],
) -> None:
    padded = rounded(sizes)
    assert padded[: len(sizes)] == sizes
    assert max(padded) == max(sizes)
    assert min(padded) >= 1
    added = sum(padded) - sum(sizes)
    assert 0 <= added <= max(7, sum(sizes) // 8)
    assert sum(padded) == round_up(sum(sizes)) == round_up(sum(padded))


def test_of_rounded_sizes_there_are_few() -> None:
    assert len({round_up(count) for count in range(1, 4097)}) <= 64
