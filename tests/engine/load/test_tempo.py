from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.arrivals import instants
from engine.load.plan import Planned
from engine.load.simulator import Simulator
from engine.load.tempo import Tempo
from tests.engine.load.test_simulator import MODELS, Scripted

speeds = st.floats(0.01, 100)
waits = st.floats(0, 100)
changes = st.lists(st.tuples(waits, speeds), max_size=6)


def changed(steps: list[tuple[float, float]]) -> tuple[Tempo, float]:
    """A tempo after these changes, each so long after the one before, and when the last was."""
    tempo, now = Tempo(), 0.0
    for wait, speed in steps:
        now += wait
        tempo.change(speed, now)
    return tempo, now


def test_a_plan_that_nobody_touches_is_due_as_it_was_made() -> None:
    assert [Tempo().due(at) for at in (0.0, 0.5, 1e6)] == [0.0, 0.5, 1e6]


@given(changes, st.floats(0, 1e3), st.floats(0, 1e3))
def test_requests_stay_in_their_order(
    steps: list[tuple[float, float]], one: float, other: float
) -> None:
    tempo, _ = changed(steps)
    first, second = sorted((one, other))
    assert tempo.due(first) <= tempo.due(second) * (1 + 1e-9)


@given(changes, speeds, st.floats(0, 1e3))
def test_a_change_moves_only_what_is_not_due_yet(
    steps: list[tuple[float, float]], speed: float, at: float
) -> None:
    tempo, now = changed(steps)
    now += 1.0
    before = tempo.due(at)
    tempo.change(speed, now)
    if before <= now:
        assert tempo.due(at) == pytest.approx(before)
    else:
        assert tempo.due(at) >= now * (1 - 1e-9)


def test_twice_the_speed_is_twice_the_rate_from_then_on() -> None:
    plan = instants(50, "poisson", 1.0, 200, np.random.default_rng(0))
    tempo, _ = changed([(100.0, 2.0)])
    due = np.array([tempo.due(at) for at in plan])
    counts = [(due < 100).sum(), ((due >= 100) & (due < 150)).sum()]
    assert counts == pytest.approx([5000, 5000], rel=0.05)
    assert due.max() < 150


async def test_a_request_that_would_be_due_in_an_hour_leaves_when_the_rate_is_raised() -> None:
    target = Scripted()
    simulator = Simulator(target, MODELS)
    hour = [Planned(0.0, 0, "now"), Planned(3600.0, 1, "in an hour")]
    running = asyncio.create_task(simulator.run(hour))
    target.release.clear()
    await target.reached(1)
    simulator.pace(1e6)
    target.release.set()
    ledger = await asyncio.wait_for(running, 10)
    assert [text for _, text in target.asked] == ["now", "in an hour"]
    assert max(ledger.latency) < 10


async def test_no_answer_moves_a_request() -> None:
    """The rate is raised while nothing at all is answered, and the rest leaves all the same."""
    target = Scripted()
    target.release.clear()
    simulator = Simulator(target, MODELS)
    plan = [Planned(100.0 * i, i % 2, "text") for i in range(30)]
    running = asyncio.create_task(simulator.run(plan))
    await target.reached(1)
    simulator.pace(1e6)
    await asyncio.wait_for(target.reached(30), 10)
    assert simulator.ledger.answered == 0
    target.release.set()
    assert (await running).answered == 30


async def test_a_run_that_lasts_until_an_instant_sends_nothing_that_is_due_later() -> None:
    simulator = Simulator(Scripted(), MODELS)
    plan = [Planned(0.0, 0, "now"), Planned(0.02, 0, "late"), Planned(3600.0, 0, "never")]
    ledger = await asyncio.wait_for(simulator.run(plan, until=0.05), 10)
    assert ledger.sent == 2
    assert simulator.sending >= 0.05


async def test_a_run_stopped_before_it_began_sends_nothing() -> None:
    simulator = Simulator(Scripted(), MODELS)
    simulator.stop()
    assert (await simulator.run([Planned(0.0, 0, "text")])).sent == 0
