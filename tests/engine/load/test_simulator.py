from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import pytest

from engine.client import LeanAnswer, NotFound, QueueFull
from engine.load.plan import Planned
from engine.load.progress import Progress
from engine.load.simulator import Simulator
from tests.engine.load.answers import an_answer

MODELS = ["a/x", "b/y"]


class Scripted:
    """A target that does what `behave` says before it answers."""

    def __init__(self, behave: Callable[[str], object] = lambda _model: None) -> None:
        self.behave = behave
        self.release = asyncio.Event()
        self.release.set()
        self.open = 0
        self._another = asyncio.Event()
        self.asked: list[tuple[str, str]] = []

    async def classify(self, model: str, input: str) -> LeanAnswer:
        self.asked.append((model, input))
        self.behave(model)
        self.open += 1
        self._another.set()
        await self.release.wait()
        self.open -= 1
        return an_answer()

    async def reached(self, count: int) -> None:
        """Wait until `count` requests are unanswered at once."""
        while self.open < count:
            self._another.clear()
            await self._another.wait()


class Pausing:
    """A target that lets others run before it answers."""

    async def classify(self, model: str, input: str) -> LeanAnswer:
        await asyncio.sleep(0)
        return an_answer()


def at_once(count: int) -> list[Planned]:
    return [Planned(0.0, i % 2, f"text {i}") for i in range(count)]


async def test_each_request_goes_to_its_model_with_its_text() -> None:
    target = Scripted()
    ledger = await Simulator(target, MODELS).run(at_once(3))
    assert target.asked == [("a/x", "text 0"), ("b/y", "text 1"), ("a/x", "text 2")]
    assert (ledger.sent, ledger.answered, ledger.failed) == (3, 3, 0)


async def test_requests_leave_though_none_is_answered() -> None:
    target = Scripted()
    target.release.clear()
    simulator = Simulator(target, MODELS)
    running = asyncio.create_task(simulator.run(at_once(50)))
    await target.reached(50)
    assert simulator.ledger.in_flight == 50
    target.release.set()
    assert (await running).answered == 50


async def test_latency_counts_from_the_instant_it_was_due() -> None:
    def stall(_model: str) -> None:
        """Hold up the whole loop once, as a busy machine does."""
        if not stalled:
            stalled.append(True)
            end = time.perf_counter() + 0.05
            while time.perf_counter() < end:
                pass

    stalled: list[bool] = []
    ledger = await Simulator(Scripted(stall), MODELS).run(at_once(2))
    assert min(ledger.latency) >= 0.05
    assert max(ledger.lateness) >= 0.04


async def test_failures_are_counted_by_their_code() -> None:
    def fail(model: str) -> None:
        raise QueueFull("full") if model == "a/x" else NotFound("gone")

    ledger = await Simulator(Scripted(fail), MODELS).run(at_once(3))
    assert ledger.errors == {"queue_full": 2, "not_found": 1}
    assert ledger.answered == 0


async def test_what_is_never_answered_is_counted() -> None:
    target = Scripted()
    target.release.clear()
    ledger = await Simulator(target, MODELS).run(at_once(4), drain=0.01)
    assert ledger.errors == {"unanswered": 4}
    assert ledger.in_flight == 0


async def test_stopping_sends_nothing_more_and_keeps_what_was_answered() -> None:
    target = Scripted(lambda _model: simulator.stop())
    simulator = Simulator(target, MODELS)
    later = [Planned(3600.0, 0, "an hour later")]
    ledger = await asyncio.wait_for(simulator.run(at_once(1) + later), 10)
    assert (ledger.sent, ledger.answered) == (1, 1)


@pytest.mark.parametrize("count", [0, 1])
async def test_a_run_of_few_requests_ends(count: int) -> None:
    assert (await Simulator(Scripted(), MODELS).run(at_once(count))).sent == count


async def test_clients_ask_again_only_when_they_are_answered() -> None:
    target = Scripted()
    target.release.clear()
    simulator = Simulator(target, MODELS)
    endless = (Planned(0.0, i % 2, "text") for i in itertools.count())
    running = asyncio.create_task(simulator.run_clients(endless, 3, None))
    await target.reached(3)
    assert simulator.ledger.sent == 3
    target.behave = lambda _model: simulator.stop() if simulator.ledger.answered >= 20 else None
    target.release.set()
    ledger = await asyncio.wait_for(running, 10)
    assert ledger.answered == ledger.sent >= 20


async def test_clients_end_when_their_time_is_over() -> None:
    endless = (Planned(0.0, 0, "text") for _ in itertools.count())
    ledger = await asyncio.wait_for(Simulator(Pausing(), MODELS).run_clients(endless, 2, 0.02), 10)
    assert ledger.answered == ledger.sent > 0


async def test_progress_tells_of_what_came_since_it_was_last_told() -> None:
    simulator = Simulator(Scripted(), MODELS)
    progress = Progress(simulator)
    await simulator.run(at_once(4))
    assert "0 failed  0 in flight" in progress.line()
    assert "0.0/s sent" in progress.line()
