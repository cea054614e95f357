from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Damaged
from engine.model import adapters
from engine.model.adapters import PLACES, AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import Backbone
from engine.model.batched import BatchedAdapters, SlotWeights, bottleneck
from engine.model.packing import Packing

UPPER, HIDDEN, RANK, SLOTS = 2, 8, 3, 6
SHAPE = AdapterShape(UPPER, HIDDEN, RANK)


def _slots() -> SlotWeights:
    """Slots 1 to 5 full of numbers, slot 0 zero."""
    generator = torch.Generator().manual_seed(4)

    def filled(*size: int) -> torch.Tensor:
        made = torch.randn(UPPER * len(PLACES), SLOTS, *size, generator=generator)
        made[:, 0] = 0.0
        return made

    return SlotWeights(filled(HIDDEN, RANK), filled(RANK), filled(RANK, HIDDEN), filled(HIDDEN))


WEIGHTS = _slots()


def _one_by_one(
    x: torch.Tensor, slots: list[int], lengths: list[int], layer: int, place: str
) -> torch.Tensor:
    at = layer * len(PLACES) + PLACES.index(place)
    w = WEIGHTS
    rows = torch.split(x, lengths)
    return torch.cat(
        [
            bottleneck(row, w.down[at, s], w.down_bias[at, s], w.up[at, s], w.up_bias[at, s])
            for row, s in zip(rows, slots, strict=True)
        ]
    )


rows_of_a_batch = st.lists(
    st.tuples(st.integers(0, SLOTS - 1), st.integers(1, 7)), min_size=1, max_size=9
)


@settings(max_examples=120, deadline=None)
@given(
    rows_of_a_batch,
    st.integers(0, UPPER - 1),
    st.sampled_from(PLACES),
    st.booleans(),
    st.booleans(),
)
def test_a_batch_of_many_tenants_equals_each_row_alone(
    rows: list[tuple[int, int]], layer: int, place: str, in_order: bool, gathered: bool
) -> None:
    rows = sorted(rows) if in_order else rows
    slots, lengths = [s for s, _ in rows], [n for _, n in rows]
    x = torch.randn(sum(lengths), HIDDEN, generator=torch.Generator().manual_seed(len(rows)))
    adapt = BatchedAdapters(WEIGHTS, slots, Packing.of(lengths), gathered=gathered)
    expected = _one_by_one(x, slots, lengths, layer, place)
    assert torch.allclose(adapt(x, layer, place), expected, atol=1e-5)


@pytest.mark.parametrize("gathered", [True, False], ids=["gathered", "in turn"])
@pytest.mark.parametrize(
    ("slots", "lengths"),
    [([3], [5]), ([2, 2, 2, 2], [1, 6, 2, 3]), ([4, 4], [5, 5]), ([1, 0], [1, 7]), ([5], [1])],
    ids=["one row", "one slot, ragged", "one slot, even", "beside the base model", "one token"],
)
def test_batches_at_the_edge_equal_each_row_alone(
    slots: list[int], lengths: list[int], gathered: bool
) -> None:
    x = torch.randn(sum(lengths), HIDDEN)
    adapt = BatchedAdapters(WEIGHTS, slots, Packing.of(lengths), gathered=gathered)
    for layer in range(UPPER):
        for place in PLACES:
            expected = _one_by_one(x, slots, lengths, layer, place)
            assert torch.allclose(adapt(x, layer, place), expected, atol=1e-5)


def test_a_rectangle_of_few_shapes_gives_bfloat16_rows_the_same_answer() -> None:
    weights = SlotWeights(**{f.name: getattr(WEIGHTS, f.name).bfloat16() for f in fields(WEIGHTS)})
    slots, lengths = [1, 3, 4, 2, 5], [7, 6, 7, 5, 6]
    x = torch.randn(sum(lengths), HIDDEN).bfloat16()
    packing = Packing.of(lengths)
    gathered, in_turn = (
        BatchedAdapters(weights, slots, packing, gathered=how)(x, 1, "attention")
        for how in (True, False)
    )
    assert torch.allclose(gathered, in_turn, atol=2e-2)
    assert not torch.allclose(gathered, x, atol=2e-2)


def test_slot_0_is_the_base_model_to_the_last_bit_alone_and_in_company() -> None:
    x = torch.randn(6, HIDDEN)
    alone = BatchedAdapters(WEIGHTS, [0, 0], Packing.of([2, 4]))
    assert torch.equal(alone(x, 0, "attention"), x)
    mixed = BatchedAdapters(WEIGHTS, [0, 3], Packing.of([2, 4]))(x, 1, "feed_forward")
    assert torch.equal(mixed[:2], x[:2])
    assert not torch.allclose(mixed[2:], x[2:], atol=1e-2)


def test_every_place_of_every_layer_uses_its_own_weights() -> None:
    x = torch.randn(3, HIDDEN)
    adapt = BatchedAdapters(WEIGHTS, [2], Packing.of([3]))
    answers = [adapt(x, layer, place) for layer in range(UPPER) for place in PLACES]
    for i, one in enumerate(answers):
        assert not any(torch.allclose(one, other, atol=1e-3) for other in answers[i + 1 :])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_an_answer_through_the_backbone_does_not_depend_on_batch_mates_or_their_order(
    backbone: Backbone, slots: list[int], random: Any
) -> None:
    shape = AdapterShape(2, 32, 4)
    generator = torch.Generator().manual_seed(8)
    adapters = [random_adapter(shape, 2, generator) for _ in range(3)]
    weights = SlotWeights(
        *(
            torch.stack(
                [torch.zeros_like(tensor(adapters[0])), *(tensor(a) for a in adapters)]
            ).transpose(0, 1)
            for tensor in _flat
        )
    )
    lengths = [random.randint(1, 9) for _ in slots]
    states = [torch.randn(n, 32, generator=generator) for n in lengths]

    def run(order: list[int]) -> dict[int, torch.Tensor]:
        packing = Packing.of([lengths[i] for i in order])
        adapt = BatchedAdapters(weights, [slots[i] for i in order], packing)
        top = backbone.upper(torch.cat([states[i] for i in order]), packing, adapt)
        return dict(zip(order, torch.split(top, [lengths[i] for i in order]), strict=True))

    shuffled = list(range(len(slots)))
    random.shuffle(shuffled)
    together = run(shuffled)
    for i in range(len(slots)):
        assert torch.allclose(together[i], run([i])[i], atol=1e-5)


_flat: list[Callable[[AdapterWeights], torch.Tensor]] = [
    lambda a: a.down.flatten(0, 1),
    lambda a: a.down_bias.flatten(0, 1),
    lambda a: a.up.flatten(0, 1),
    lambda a: a.up_bias.flatten(0, 1),
]


@pytest.fixture
def stored() -> dict[str, np.ndarray]:
    return random_adapter(SHAPE, 3, torch.Generator().manual_seed(1)).arrays()


def test_a_stored_adapter_comes_back_as_float16(stored: dict[str, np.ndarray]) -> None:
    again = AdapterWeights.from_arrays(stored, "abc")
    assert again.shape == SHAPE
    assert again.labels == 3
    assert again.nbytes == sum(a.nbytes for a in stored.values())
    assert again.nbytes == 2 * (SHAPE.parameters + 3 * (HIDDEN + 1))
    for name, array in again.arrays().items():
        assert array.dtype == np.float16
        assert np.array_equal(array, stored[name])


def test_two_fresh_adapters_differ_and_change_little() -> None:
    generator = torch.Generator().manual_seed(1)
    one, other = random_adapter(SHAPE, 2, generator), random_adapter(SHAPE, 2, generator)
    assert not torch.equal(one.down, other.down)
    x = torch.randn(5, HIDDEN)
    y = bottleneck(x, one.down[0, 0], one.down_bias[0, 0], one.up[0, 0], one.up_bias[0, 0])
    assert (y - x).abs().max() < 0.2


def _without(name: str) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda arrays: arrays.__delitem__(name)


def _with(name: str, array: np.ndarray) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda arrays: arrays.__setitem__(name, array)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_without("up"), "missing or foreign: up"),
        (_with("extra", np.zeros(1, np.float16)), "missing or foreign: extra"),
        (_with("down", np.zeros((2, 2, 8), np.float16)), "number of dimensions"),
        (_with("head", np.zeros(8, np.float16)), "number of dimensions"),
        (_with("up", np.zeros((2, 2, 3, 9), np.float16)), "up is"),
        (_with("down", np.zeros((2, 1, 8, 3), np.float16)), "down is"),
        (_with("head", np.zeros((3, 9), np.float16)), "head is"),
        (_with("head_bias", np.zeros(4, np.float16)), "head_bias is"),
        (_with("up_bias", np.full((2, 2, 8), np.nan, np.float16)), "not finite"),
        (_with("head_bias", np.full(3, np.inf, np.float16)), "not finite"),
    ],
)
def test_arrays_that_are_no_adapter_are_refused_by_name(
    stored: dict[str, np.ndarray], spoil: Callable[[dict[str, np.ndarray]], None], why: str
) -> None:
    spoil(stored)
    with pytest.raises(Damaged, match=why) as caught:
        AdapterWeights.from_arrays(stored, "blob-7")
    assert caught.value.code == "adapter_damaged"
    assert "blob-7" in caught.value.detail


def test_exactly_the_finite_ones_of_all_float16_numbers_are_taken() -> None:
    numbers = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    each = [adapters._finite(numbers[i : i + 1]) for i in range(len(numbers))]
    assert each == np.isfinite(numbers).tolist()
    assert not adapters._finite(numbers)
    assert adapters._finite(numbers[np.isfinite(numbers)].reshape(2, -1))
    assert adapters._finite(numbers[:0])
