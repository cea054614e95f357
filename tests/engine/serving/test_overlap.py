"""Several batches in flight: what overlaps, what must not, and that no answer changes by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

import engine.serving.pipeline as pipeline
from engine.appliance import Appliance
from engine.config import Settings
from engine.serving.batch import Batch
from engine.serving.stages import compute_stage
from engine.serving.work import Mode
from tests.engine.appliance.small import (
    TEXTS,
    Ask,
    core_of,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    same,
    tickets,
    together,
    tolerance_of,
    until,
)

MODES: tuple[Mode, ...] = ("plot", "exact")


class Turnstile:
    """Lets batches into their compute stage one at a time, and notes who is inside."""

    def __init__(self) -> None:
        self.entered: list[Batch] = []
        self.inside = self.most = 0
        self._lock = threading.Lock()
        self._passes = threading.Semaphore(0)

    def let(self, batches: int) -> None:
        self._passes.release(batches)

    def compute(self, batch: Batch, *arguments: object) -> list[list[float]]:
        with self._lock:
            self.entered.append(batch)
            self.inside += 1
            self.most = max(self.most, self.inside)
        assert self._passes.acquire(timeout=20)
        with self._lock:
            self.inside -= 1
        return compute_stage(batch, *arguments)  # type: ignore[arg-type]


@pytest.fixture
def turnstile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Turnstile]:
    made = Turnstile()
    monkeypatch.setattr(pipeline, "compute_stage", made.compute)
    yield made
    made.let(1000)


def asks_of(appliance: Appliance, models: int) -> list[Ask]:
    """Everybody's texts in both modes."""
    make_tenant(appliance)
    make_domain(appliance, "reviews")
    asks: list[Ask] = []
    for i in range(models):
        make_vplm(appliance, f"acme/m{i}", ["a", "b", "c"][: 2 + i % 2], domain="reviews")
        asks += [(f"acme/m{i}", mode, TEXTS[i % 2 :]) for mode in MODES]
    return asks


@pytest.mark.parametrize("threads", [1, 3])
def test_answers_are_the_same_with_stages_overlapping_and_in_turn(
    settings: Settings, threads: int
) -> None:
    with opened(replace(settings, pipeline="off")) as appliance:
        asks = asks_of(appliance, models=6)
        expected = together(appliance, asks)
        tolerance = tolerance_of(appliance)
    slots = 3 * core_slot_bytes(settings)
    with opened(replace(settings, threads=threads, device_cache=slots)) as appliance:
        assert core_of(appliance).threads.workers == threads
        for _ in range(3):
            for got, wanted in zip(together(appliance, asks), expected, strict=True):
                assert same([o.values for o in got], [o.values for o in wanted], tolerance)
        assert not core_of(appliance).tiers._held


def core_slot_bytes(settings: Settings) -> int:
    with opened(settings) as appliance:
        return core_of(appliance).tiers.arena.slot_bytes


def test_the_next_batch_is_fetched_while_one_is_computed(
    settings: Settings, turnstile: Turnstile
) -> None:
    with opened(settings) as appliance:
        asks = asks_of(appliance, models=2)
        core = core_of(appliance)
        first = tickets(appliance, asks[:1])
        until(lambda: len(turnstile.entered) == 1, "the first batch being computed")
        second = tickets(appliance, asks[2:3])
        adapter = core.models.take("acme/m1").adapter
        until(lambda: core.tiers.tier(adapter) == "device", "the second one's adapter loaded")
        assert core.queue.size() == (0, 0)
        third = tickets(appliance, asks[2:3])
        assert not any(t.future.done() for t in (*first, *second, *third))
        turnstile.let(3)
        for ticket in (*first, *second, *third):
            assert ticket.future.result(20)
        # The third was not taken up before the second was begun.
        assert [len(batch.works) for batch in turnstile.entered] == [5, 4, 4]


def test_several_workers_compute_at_once_and_share_what_waits(
    settings: Settings, turnstile: Turnstile
) -> None:
    with opened(replace(settings, threads=2, batch_tokens=40)) as appliance:
        asks = asks_of(appliance, models=2)
        asked = tickets(appliance, asks)
        until(lambda: turnstile.inside == 2, "two batches being computed")
        turnstile.let(1000)
        for ticket in asked:
            assert ticket.future.result(20)
    assert turnstile.most == 2


def test_a_batch_waits_for_slots_that_an_earlier_one_holds(
    settings: Settings, turnstile: Turnstile
) -> None:
    one = replace(settings, device_cache=1)
    with opened(one) as appliance:
        asks = asks_of(appliance, models=3)
        assert core_of(appliance).tiers.arena.slots == 1
        (first,) = tickets(appliance, asks[0:1])
        until(lambda: len(turnstile.entered) == 1, "the first batch being computed")
        others = tickets(appliance, [asks[2], asks[4]])
        turnstile.let(1000)
        for ticket in (first, *others):
            assert ticket.future.result(20)
        assert len(turnstile.entered) == 3


def test_stopping_answers_every_batch_in_flight(settings: Settings, turnstile: Turnstile) -> None:
    with opened(settings) as appliance:
        asks = asks_of(appliance, models=2)
        (first,) = tickets(appliance, asks[:1])
        until(lambda: len(turnstile.entered) == 1, "the first batch being computed")
        (second,) = tickets(appliance, asks[2:3])
        until(lambda: core_of(appliance).queue.size() == (0, 0), "the second one taken")
        stopping = threading.Thread(target=core_of(appliance).stack.pipeline.stop)
        stopping.start()
        turnstile.let(2)
        stopping.join(20)
        assert len(first.future.result(20)) == len(TEXTS)
        assert len(second.future.result(20)) == len(TEXTS) - 1
        assert not any(thread.is_alive() for thread in core_of(appliance).stack.pipeline._threads)
