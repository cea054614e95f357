from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.model.steady import GRAIN, MOST, height, is_steady

CPU = torch.device("cpu")


@given(st.integers(1, 5 * MOST), st.booleans())
def test_a_height_holds_what_it_can_and_wastes_less_than_it_must(count: int, steady: bool) -> None:
    high = height(count, is_steady=steady)
    assert high % GRAIN == 0
    assert high <= MOST
    if steady:
        assert high == MOST or count <= high < count + GRAIN


def test_without_steadiness_there_is_one_height() -> None:
    assert len({height(count, is_steady=False) for count in range(1, 5 * MOST)}) == 1


def test_a_product_that_is_the_same_at_any_height_is_steady() -> None:
    assert is_steady(lambda x: x * 3 + 1, 8, CPU)


@pytest.mark.parametrize("odd", [GRAIN, 4 * GRAIN, MOST])
def test_a_product_that_rounds_otherwise_at_one_height_is_not(odd: int) -> None:
    def product(x: Tensor) -> Tensor:
        return x.nextafter(torch.ones(())) if len(x) == odd else x

    assert not is_steady(product, 8, CPU)
