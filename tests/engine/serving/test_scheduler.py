from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import QueueFull, Unavailable
from engine.memory.counters import Standing
from engine.serving.draft import BatchLimits
from engine.serving.scheduler import Scheduler
from engine.serving.work import Work
from tests.engine.serving.works import Clock, work

OLD = -1.0
"""Accepted so long ago that no preference for residents holds."""
WIDE = BatchLimits(tokens=1000, models=100)


def test_works_come_out_in_the_order_in_which_they_went_in() -> None:
    queue = Scheduler(1000)
    works = [work(i + 1, adapter=str(i)) for i in range(5)]
    queue.offer(works[:2])
    queue.offer(works[2:])
    assert queue.take(WIDE) == works
    assert queue.size() == (0, 0)


def test_a_request_that_does_not_fit_is_refused_whole() -> None:
    queue = Scheduler(10)
    queue.offer([work(6)])
    with pytest.raises(QueueFull) as refused:
        queue.offer([work(2), work(3)])
    assert refused.value.retry_after >= 1.0
    assert queue.size() == (1, 6)
    queue.offer([work(2), work(2)])
    assert queue.size() == (3, 10)


def test_a_request_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    queue = Scheduler(10)
    queue.offer([work(50)])
    assert queue.size() == (1, 50)


def _served(queue: Scheduler, tokens: int) -> list[Work]:
    queue.offer([work(tokens)])
    return queue.take(WIDE)


@pytest.mark.parametrize(
    ("speed", "expected"), [(0.0, 30.0), (10.0, 3.0), (1e9, 1.0), (0.001, 30.0)]
)
def test_a_full_queue_says_when_to_come_again(speed: float, expected: float) -> None:
    clock = Clock()
    queue = Scheduler(20, clock=clock)
    if speed:
        batch = _served(queue, 10)
        clock.now += 10 / speed
        queue.finished(batch)
    queue.offer([work(20)])
    with pytest.raises(QueueFull) as refused:
        queue.offer([work(30)])
    assert refused.value.retry_after == expected


def test_nobody_is_told_to_wait_longer_than_a_minute() -> None:
    queue = Scheduler(20)
    queue.offer([work(20)])
    with pytest.raises(QueueFull) as refused:
        queue.offer([work(5000)])
    assert refused.value.retry_after == 60.0


def test_a_batch_closes_at_its_tokens() -> None:
    queue = Scheduler(1000)
    queue.offer([work(4) for _ in range(5)])
    limits = BatchLimits(tokens=9, models=100)
    assert [len(queue.take(limits)) for _ in range(3)] == [2, 2, 1]


def test_a_batch_closes_at_its_distinct_adapters() -> None:
    queue = Scheduler(1000)
    queue.offer([work(1, adapter=a) for a in "aababcc"])
    limits = BatchLimits(tokens=100, models=2)
    assert [[w.model.adapter for w in queue.take(limits)] for _ in range(2)] == [
        list("aabab"),
        list("cc"),
    ]


def test_a_batch_closes_before_padding_outgrows_it() -> None:
    queue = Scheduler(1000)
    queue.offer([work(1) for _ in range(8)])
    queue.offer([work(9)])
    limits = BatchLimits(tokens=20, models=9)
    # Nine rows padded to nine are 81, one over four times the budget.
    assert [len(queue.take(limits)) for _ in range(2)] == [8, 1]


def test_one_text_always_fits() -> None:
    queue = Scheduler(1000)
    queue.offer([work(500), work(1)])
    limits = BatchLimits(tokens=8, models=1)
    assert [len(queue.take(limits)) for _ in range(2)] == [1, 1]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abcde")), min_size=1, max_size=40),
    st.integers(1, 60),
    st.integers(1, 5),
)
def test_batches_keep_every_limit_and_lose_nothing(
    sizes: list[tuple[int, str]], tokens: int, models: int
) -> None:
    queue = Scheduler(10_000)
    works = [work(size, adapter=adapter) for size, adapter in sizes]
    queue.offer(works)
    limits = BatchLimits(tokens, models)
    seen = []
    while queue.size()[0]:
        batch = queue.take(limits)
        seen += batch
        lengths = [len(w.ids) for w in batch]
        assert len({w.model.adapter for w in batch}) <= models
        assert len(batch) == 1 or sum(lengths) <= tokens
        assert len(batch) == 1 or max(lengths) * len(batch) <= limits.padded
    assert seen == works
    assert queue.size() == (0, 0)


def test_given_up_work_is_skipped() -> None:
    queue = Scheduler(1000)
    works = [work(2) for _ in range(4)]
    queue.offer(works)
    works[0].ticket.future.cancel()
    works[2].ticket.fail(Unavailable("no"))
    assert queue.take(WIDE) == [works[1], works[3]]
    assert queue.size() == (0, 0)


def test_a_cancelled_client_frees_its_place_at_once_wherever_it_stands() -> None:
    queue = Scheduler(10)
    first, second = work(4), work(6)
    queue.offer([first, second])
    second.ticket.future.cancel()
    late = work(6)
    queue.offer([late])
    assert queue.size() == (2, 10)
    assert queue.take(WIDE) == [first, late]


def test_take_waits_for_work() -> None:
    queue = Scheduler(1000)
    got: list[int] = []
    thread = threading.Thread(target=lambda: got.append(len(queue.take(WIDE))))
    thread.start()
    queue.offer([work(1), work(1)])
    thread.join(10)
    assert got == [2]


def test_closing_hands_back_what_waited_and_ends_the_taker() -> None:
    queue = Scheduler(1000)
    works = [work(1), work(2)]
    queue.offer(works)
    assert queue.close() == works
    assert queue.size() == (0, 0)
    assert queue.take(WIDE) == []


def test_closing_wakes_a_taker_that_waits() -> None:
    queue = Scheduler(1000)
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(queue.take(WIDE)))
    thread.start()
    queue.close()
    thread.join(10)
    assert got == [[]]


def test_a_closed_queue_refuses_instead_of_keeping_requests_for_ever() -> None:
    queue = Scheduler(1000)
    queue.close()
    with pytest.raises(Unavailable, match="stopping"):
        queue.offer([work(1)])


def test_an_adapter_that_two_tenants_share_may_load_again_while_works_of_both_wait() -> None:
    standings: dict[str, Standing] = {}
    queue = Scheduler(1000, standing=lambda a: standings.get(a, "ready"), clock=Clock())
    first = [work(5, adapter=a, tenant="one", accepted=OLD) for a in ("shared", "x", "y")]
    second = work(5, adapter="shared", tenant="two", accepted=OLD)
    queue.offer(first)
    queue.offer([second])
    standings["shared"] = "loading"
    # Full before the other tenant is looked at, whose works for it are not parked.
    assert queue.take(BatchLimits(tokens=5, models=9)) == first[1:2]
    later = [work(5, adapter=a, tenant="two", accepted=OLD) for a in ("shared", "z")]
    queue.offer(later)
    standings["shared"] = "ready"
    queue.wake("shared")
    left = [first[0], first[2], second, *later]
    taken: list[Work] = []
    while len(taken) < len(left):
        taken += queue.take(BatchLimits(tokens=5, models=9), wait=False)
    assert sorted(map(id, taken)) == sorted(map(id, left))
    assert queue.size() == (0, 0)


def test_works_of_a_batch_that_failed_while_it_was_made_up_come_back_at_the_end() -> None:
    def standing(adapter: str) -> Standing:
        if adapter == "odd":
            raise RuntimeError("no such adapter")
        return "ready"

    queue = Scheduler(1000, standing=standing)
    works = [work(2, adapter=a) for a in ("even", "odd")]
    queue.offer(works)
    with pytest.raises(RuntimeError, match="no such adapter"):
        queue.take(WIDE)
    assert queue.close() == works
