"""Device memory that runs out: the batch is halved once, and what still fails is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Unavailable
from engine.serving.batch import Batch, Group
from engine.serving.shortage import compute_in_parts, halves
from engine.serving.work import Mode, Ticket, Work
from tests.engine.serving.works import work

PLOT: list[Mode] = ["plot"] * 5


def batch_of(*modes: Mode) -> Batch:
    works = [work(i + 1, adapter=f"a{i}", mode=mode) for i, mode in enumerate(modes)]
    groups = [Group([w for w in works if w.mode == mode], None) for mode in dict.fromkeys(modes)]
    return Batch(3, groups, 0.0, slots={w.model.adapter: i + 1 for i, w in enumerate(works)})


class Device:
    """Has memory for so many texts at once."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []

    def compute(self, batch: Batch) -> list[list[float]]:
        self.sizes.append(len(batch.works))
        if len(batch.works) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [[float(len(w.ids))] for w in batch.works]


@given(st.lists(st.sampled_from(["plot", "exact"]), min_size=1, max_size=9))
def test_two_halves_have_all_works_in_order(modes: list[Mode]) -> None:
    batch = batch_of(*modes)
    parts = halves(batch)
    assert [w for part in parts for w in part.works] == batch.works
    assert len(parts) == min(2, len(modes))
    assert all(part.slots == batch.slots for part in parts)
    assert max(len(part.works) for part in parts) == (len(modes) + 1) // 2


def test_what_fits_is_computed_at_once() -> None:
    device = Device(room=5)
    assert len(compute_in_parts(batch_of(*PLOT), device.compute)) == 5
    assert device.sizes == [5]


def test_what_does_not_is_computed_in_two_halves_with_the_same_answers() -> None:
    batch = batch_of("plot", "plot", "exact", "plot", "exact")
    device = Device(room=3)
    expected = Device(room=9).compute(batch)
    assert compute_in_parts(batch, device.compute) == expected
    assert device.sizes == [5, 3, 2]


def test_only_the_half_that_does_not_fit_either_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch = batch_of(*PLOT)
    tickets: list[Ticket] = [w.ticket for w in batch.works]
    device = Device(room=2)
    got = compute_in_parts(batch, device.compute)
    assert [bool(row) for row in got] == [False, False, False, True, True]
    for ticket in tickets[:3]:
        with pytest.raises(Unavailable, match="memory ran out") as refused:
            ticket.future.result(0)
        assert refused.value.code == "out_of_memory"
        assert "--device-cache" in refused.value.remedy
    assert not any(ticket.given_up for ticket in tickets[3:])


def test_another_error_is_not_taken_for_a_shortage() -> None:
    def broken(_: Batch) -> list[list[float]]:
        raise RuntimeError("a kernel fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        compute_in_parts(batch_of("plot", "plot"), broken)


def test_a_part_of_a_group_has_its_own_texts(hplm_works: list[Work]) -> None:
    group = Group(hplm_works, None)
    assert group.part(1, 3).works == hplm_works[1:3]
    assert group.part(2).lengths == [len(w.ids) for w in hplm_works[2:]]


@pytest.fixture
def hplm_works() -> list[Work]:
    return [work(i + 2) for i in range(4)]
