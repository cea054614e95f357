"""Deadlines and admission by them, on a machine whose speed is known."""

from __future__ import annotations

import random

import pytest

from engine.errors import SloUnattainable
from engine.serving.draft import BatchLimits
from engine.serving.scheduler import BATCH_S, Scheduler
from engine.serving.work import Work
from tests.engine.serving.works import Clock, work

LIMITS = BatchLimits(tokens=400, models=100)
SPEED = 2000.0
"""Tokens a second."""
START = 0.005
"""Seconds that each batch takes beside."""


class Machine:
    """A scheduler and the clock that its batches move."""

    def __init__(self, slo_ms: float | None) -> None:
        self.clock = Clock()
        self.queue = Scheduler(10**6, slo_ms=slo_ms, clock=self.clock)
        self.refusal = SloUnattainable("")

    def offer(self, tokens: int, tenant: str = "acme", at: float | None = None) -> Work:
        made = work(tokens, tenant=tenant, accepted=self.clock.now if at is None else at)
        self.queue.offer([made])
        return made

    def serve(self) -> list[Work]:
        """One batch, whose end is now."""
        batch = self.queue.take(LIMITS, wait=False)
        self.clock.now += START + sum(len(w.ids) for w in batch) / SPEED
        if batch:
            self.queue.finished(batch)
        return batch

    def learn(self) -> None:
        for i, tokens in enumerate((10, 300, 50, 200, 20, 100, 30, 250, 150, 60, 350, 15)):
            each = (5, 10, 50)[i % 3]
            now = self.clock.now
            self.queue.offer([work(each, accepted=now) for _ in range(max(1, tokens // each))])
            while self.serve():
                pass

    def fill(self, tokens: int, tenant: str = "acme") -> int:
        """Requests of `tokens` until one is refused; how many were not."""
        for accepted in range(1000):
            try:
                self.offer(tokens, tenant)
            except SloUnattainable as refused:
                self.refusal = refused
                return accepted
        raise AssertionError("nothing was refused")


def test_a_batch_closes_when_more_would_break_the_deadline_of_its_oldest() -> None:
    machine = Machine(slo_ms=1000)
    machine.learn()
    oldest = machine.offer(40)
    machine.clock.now += 0.97
    for _ in range(3):
        machine.offer(40, tenant="globex")
    # 30 ms are left, and two texts would take 45.
    assert machine.queue.take(LIMITS, wait=False) == [oldest]


def test_a_batch_takes_no_longer_than_it_should() -> None:
    machine = Machine(slo_ms=None)
    machine.learn()
    for _ in range(30):
        machine.offer(20)
    began = machine.clock.now
    assert len(machine.serve()) > 1
    assert machine.clock.now - began <= BATCH_S


def test_a_deadline_that_is_lost_closes_no_batch() -> None:
    machine = Machine(slo_ms=1000)
    machine.learn()
    machine.offer(40)
    machine.clock.now += 3
    machine.offer(40)
    assert len(machine.queue.take(LIMITS, wait=False)) == 2


def test_what_would_come_too_late_is_refused_with_the_time_to_come_again() -> None:
    machine = Machine(slo_ms=400)
    machine.learn()
    accepted = machine.fill(50)
    # 0.4 s are 800 tokens, less what the batches and the margin take.
    assert 8 <= accepted <= 15
    assert "may take 400 ms (--slo-ms)" in machine.refusal.detail
    assert (machine.refusal.status, machine.refusal.code) == (429, "slo_unattainable")
    assert 1 <= machine.refusal.retry_after <= 60
    while machine.serve():
        pass
    machine.offer(50)


def test_only_what_is_served_before_counts_against_a_request() -> None:
    machine = Machine(slo_ms=700)
    machine.learn()
    machine.fill(50, "flood")
    quiet = machine.offer(20, tenant="quiet")
    assert quiet in machine.serve()


def test_an_accepted_request_that_would_be_late_otherwise_goes_before_its_turn() -> None:
    machine = Machine(slo_ms=1000)
    machine.learn()
    promised = [machine.offer(40, tenant="acme") for _ in range(4)]
    machine.clock.now += 0.9
    for i in range(20):
        machine.queue.offer([work(40, tenant=f"t{i}", accepted=machine.clock.now)])
    served = machine.serve() + machine.serve()
    assert served == promised


def test_an_idle_engine_takes_any_request() -> None:
    machine = Machine(slo_ms=1)
    machine.learn()
    machine.offer(300)


@pytest.mark.parametrize("seed", range(3))
def test_at_four_fifths_of_the_load_what_is_accepted_holds_the_deadline(seed: int) -> None:
    machine, dice, slo = Machine(slo_ms=600), random.Random(seed), 0.6
    machine.learn()
    rate = 0.8 * SPEED / 40
    due = machine.clock.now
    late = served = refused = 0
    while served < 2500:
        while due <= machine.clock.now:
            try:
                machine.offer(dice.randint(10, 70), f"t{dice.randrange(20)}", at=due)
            except SloUnattainable:
                refused += 1
            due += dice.expovariate(rate)
        for done in machine.serve():
            served += 1
            late += machine.clock.now - done.accepted > slo
    assert late <= 0.01 * served
    assert refused <= 0.05 * served
