from __future__ import annotations

import threading

import pytest

from engine.serving.cadence import Cadence


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def wanted(cadence: Cadence, clock: Clock, within: float = 0.0) -> bool:
    """Whether the next batch is wanted `within` seconds, if nothing else happens."""
    clock.now += within
    pause = cadence._pause()
    clock.now -= within
    return pause == 0


def run_one(cadence: Cadence, clock: Clock, number: int, tokens: int, before: float) -> None:
    """A batch that takes a millisecond a token."""
    cadence.wait()
    cadence.begin(number, tokens, before)
    clock.now += tokens / 1000
    cadence.end(number, tokens, tokens / 1000)


def test_at_first_there_is_a_batch_for_every_worker_and_no_more() -> None:
    cadence, clock = Cadence(2, Clock()), Clock()
    cadence.wait()
    assert not wanted(cadence, clock)
    cadence.begin(1, 10, 0.0)
    cadence.wait()
    cadence.begin(2, 10, 0.0)


def test_the_next_is_formed_so_much_before_the_end_as_fetching_takes() -> None:
    clock = Clock()
    cadence = Cadence(1, clock)
    run_one(cadence, clock, 1, tokens=200, before=0.04)
    cadence.wait()
    cadence.begin(2, 400, 0.04)
    # 400 ms to go, 40 ms to fetch and a quarter of that for safety.
    assert not wanted(cadence, clock, within=0.34)
    assert wanted(cadence, clock, within=0.36)


def test_it_comes_before_the_first_of_several_workers_is_free() -> None:
    clock = Clock()
    cadence = Cadence(2, clock)
    run_one(cadence, clock, 1, tokens=100, before=0.008)
    for number, tokens in ((2, 1000), (3, 100)):
        cadence.wait()
        cadence.begin(number, tokens, 0.008)
    assert not wanted(cadence, clock, within=0.08)
    assert wanted(cadence, clock, within=0.095)


def test_a_worker_that_is_done_early_is_not_left_waiting_for_its_hour() -> None:
    clock = Clock()
    cadence = Cadence(1, clock)
    run_one(cadence, clock, 1, tokens=1000, before=0.0)
    cadence.wait()
    cadence.begin(2, 1000, 0.0)
    came = threading.Event()

    def former() -> None:
        cadence.wait()
        came.set()

    waiting = threading.Thread(target=former, daemon=True)
    waiting.start()
    assert not came.is_set()
    cadence.end(2, 1000, 0.1)
    assert came.wait(10)
    waiting.join(10)


def test_a_batch_that_came_to_nothing_makes_place_for_the_next() -> None:
    clock = Clock()
    cadence = Cadence(1, clock)
    cadence.wait()
    assert not wanted(cadence, clock)
    cadence.drop()
    assert wanted(cadence, clock)


@pytest.mark.parametrize(
    ("busy", "waiting", "share"),
    [(0, 4000, 1000), (0, 900, 256), (2, 4000, 2000), (3, 4000, 2048), (3, 100, 2048)],
    ids=["all idle", "little to divide", "two idle", "the last", "the last, little"],
)
def test_what_waits_is_divided_between_idle_workers(busy: int, waiting: int, share: int) -> None:
    cadence = Cadence(4)
    for number in range(busy):
        cadence.wait()
        cadence.begin(number, 10, 0.0)
    assert cadence.share(waiting, most=2048) == share
