from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from engine.model.rows import STEP_BYTES, decode_rows, encode_rows, row_bytes

shapes = st.tuples(st.integers(1, 5), st.integers(1, 40))
values = arrays.arrays(np.float32, shapes, elements=st.floats(-1e4, 1e4, width=32))


def _steps(stored: Tensor) -> Tensor:
    return stored[:, -STEP_BYTES:].clone().view(-1).view(torch.float32)


@settings(max_examples=150, deadline=None)
@given(values)
def test_a_row_comes_back_within_half_a_step(given_values: np.ndarray) -> None:
    rows = torch.from_numpy(given_values)
    stored = encode_rows(rows)
    assert stored.dtype == torch.int8
    assert stored.shape == (len(rows), row_bytes(rows.shape[1]))
    half = _steps(stored)[:, None] / 2
    # A quotient that lies between two whole numbers may itself be rounded, hence the last part.
    assert ((decode_rows(stored) - rows).abs() <= half * (1 + 1e-4)).all()


@settings(max_examples=50, deadline=None)
@given(values)
def test_the_step_is_as_small_as_the_largest_number_allows(given_values: np.ndarray) -> None:
    rows = torch.from_numpy(given_values)
    stored = encode_rows(rows)
    largest = rows.abs().amax(1)
    assert torch.allclose(_steps(stored), largest / 127, rtol=1e-6, atol=1e-13)
    assert stored[:, :-STEP_BYTES].amin() >= -127


@settings(max_examples=50, deadline=None)
@given(values)
def test_a_row_is_encoded_alone_as_in_company(given_values: np.ndarray) -> None:
    rows = torch.from_numpy(given_values)
    together = encode_rows(rows)
    alone = [encode_rows(rows[i : i + 1]) for i in range(len(rows))]
    assert torch.equal(together, torch.cat(alone))
    decoded = [decode_rows(row) for row in alone]
    assert torch.equal(decode_rows(together), torch.cat(decoded))


@pytest.mark.parametrize("hidden", [1, 5, 30, 32])
def test_rows_are_read_out_of_the_middle_of_a_larger_array(hidden: int) -> None:
    rows = torch.randn(6, hidden)
    held = np.zeros((10, row_bytes(hidden)), dtype=np.int8)
    held[3:9] = encode_rows(rows).numpy()
    for part in (slice(3, 9), slice(4, 5), slice(3, 9, 2)):
        read = decode_rows(torch.from_numpy(held[part]))
        wanted = decode_rows(encode_rows(rows))[part.start - 3 : part.stop - 3 : part.step]
        assert torch.equal(read, wanted)


def test_a_row_of_zeros_stays_zero() -> None:
    assert torch.equal(decode_rows(encode_rows(torch.zeros(2, 8))), torch.zeros(2, 8))
