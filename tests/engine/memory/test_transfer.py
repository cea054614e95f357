from __future__ import annotations

import torch

from engine.memory.transfer import LocalTransfer, lay_end_to_end, take_apart, transfer_to
from engine.model.adapters import AdapterWeights
from tests.engine.memory.conftest import SHAPE, made


def _same(left: AdapterWeights, right: AdapterWeights) -> bool:
    return all(torch.equal(t, right.tensors()[name]) for name, t in left.tensors().items())


def test_on_the_cpu_an_adapter_is_where_it_has_to_be_and_nobody_waits() -> None:
    transfer = transfer_to(torch.device("cpu"), SHAPE)
    assert isinstance(transfer, LocalTransfer)
    adapter = made(1)
    with transfer.bring(adapter) as here:
        assert here is adapter
    transfer.arrival().wait()


def test_tensors_laid_end_to_end_are_taken_apart_as_they_were() -> None:
    memory = torch.empty(100_000, dtype=torch.uint8)
    for adapter in (made(1, labels=7), made(2, rank=2).to(torch.float16)):
        flat = lay_end_to_end(adapter, memory)
        assert flat is not None
        assert flat.data_ptr() == memory.data_ptr()
        assert flat.numel() * flat.element_size() == adapter.nbytes
        assert _same(take_apart(flat, adapter), adapter)


def test_what_a_buffer_cannot_take_is_left_to_cross_without_it() -> None:
    adapter = made(1)
    assert lay_end_to_end(adapter, torch.empty(adapter.nbytes - 1, dtype=torch.uint8)) is None
    tensors = adapter.tensors() | {"head": adapter.head.half()}
    mixed = AdapterWeights(**tensors)
    assert lay_end_to_end(mixed, torch.empty(100_000, dtype=torch.uint8)) is None
