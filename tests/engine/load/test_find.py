from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.find import CLOSE, find, render_curve
from engine.load.ledger import Ledger
from engine.load.report import Asked, Report, summarise
from tests.engine.load.answers import an_answer


class Engine:
    """Answers in 0.1 s up to `capacity` requests a second, and above it in 3 s or not at all."""

    def __init__(self, capacity: float, *, refuses: bool = False) -> None:
        self.capacity = capacity
        self.refuses = refuses
        self.tried: list[float] = []

    async def measure(self, rate: float) -> Report:
        self.tried.append(rate)
        ledger = Ledger()
        ledger.leave(0, 0.0)
        if rate <= self.capacity or not self.refuses:
            ledger.answer(0, 0.0, 0.1 if rate <= self.capacity else 3.0, an_answer())
        else:
            ledger.fail(0, "queue_full", 0.1)
        return summarise(ledger, Asked(["a/x"]), 1.0)


@given(st.floats(2, 5000), st.floats(1, 1000))
async def test_the_search_ends_near_what_the_engine_can_do(capacity: float, start: float) -> None:
    engine = Engine(capacity)
    curve = await find(engine.measure, start, 1.0)
    assert curve.rate is not None
    assert curve.rate <= capacity <= curve.rate * (1 + CLOSE) * (1 + 1e-9)
    assert [point.rate for point in curve.points] == sorted(engine.tried)
    assert len(set(engine.tried)) < 25
    assert max(Counter(engine.tried).values()) <= 2


async def test_a_single_hiccup_is_not_taken_for_the_limit() -> None:
    engine, hiccups = Engine(200), [100.0]

    async def measure(rate: float) -> Report:
        if rate in hiccups:
            hiccups.remove(rate)
            return await Engine(0).measure(rate)
        return await engine.measure(rate)

    curve = await find(measure, 100, 1.0)
    assert curve.rate == pytest.approx(200, rel=CLOSE)
    assert [point.holds for point in curve.points if point.rate == 100] == [False, True]


async def test_a_rate_at_which_some_are_refused_does_not_hold() -> None:
    curve = await find(Engine(90, refuses=True).measure, 50, 1.0)
    assert curve.rate == pytest.approx(90, rel=CLOSE)
    assert any(point.failed for point in curve.points)


async def test_an_engine_that_holds_nothing_has_no_rate() -> None:
    curve = await find(Engine(0).measure, 8, 1.0)
    assert curve.rate is None
    assert "No rate" in render_curve(curve)


async def test_a_run_that_is_ended_early_ends_the_search_with_what_is_known() -> None:
    engine = Engine(1e9)

    async def measure(rate: float) -> Report:
        return replace(await engine.measure(rate), ended_early=rate > 100)

    curve = await find(measure, 30, 1.0)
    assert [point.rate for point in curve.points] == [30, 60]
    assert curve.rate == 60
    assert "up to 60 requests a second" in render_curve(curve)
