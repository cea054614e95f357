"""A machine made up for the test says how long batches take; the model has to find out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.serving.latency import READY, TERMS, BatchShape, LatencyModel

Machine = Callable[[BatchShape], float]


def machine(speed: float = 1.0) -> Machine:
    def seconds(shape: BatchShape) -> float:
        return (
            0.004
            + 30e-6 * shape.plot_tokens
            + 90e-6 * shape.exact_tokens
            + 100e-6 * shape.adapters
            + 900e-6 * shape.cold
        ) / speed

    return seconds


def batch(dice: random.Random) -> BatchShape:
    texts = dice.randint(1, 60)
    adapters = dice.randint(1, texts)
    plot, exact = dice.randint(5, 40) * texts, dice.choice([0, 0, 20 * texts])
    return BatchShape(texts, plot, exact, adapters, dice.randint(0, adapters))


def run(
    model: LatencyModel, seconds: Machine, batches: int, dice: random.Random, noise: float = 0.05
) -> list[float]:
    """Errors of the predictions, in order."""
    errors: list[float] = []
    for _ in range(batches):
        shape = batch(dice)
        actual = seconds(shape) * math.exp(dice.gauss(0, noise))
        errors.append(abs(model.predict(shape) - actual) / actual)
        model.observe(shape, actual)
    return errors


def test_nothing_is_predicted_before_a_few_batches_have_been_seen() -> None:
    model, dice = LatencyModel(), random.Random(0)
    run(model, machine(), READY - 1, dice)
    assert model.predict(batch(dice)) == 0
    assert model.report().error is None
    run(model, machine(), 1, dice)
    assert model.predict(batch(dice)) > 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.1, 1.0, 40.0]))
def test_a_machine_of_any_speed_is_learned(seed: int, speed: float) -> None:
    model, dice = LatencyModel(), random.Random(seed)
    run(model, machine(speed), 150, dice)
    error = model.report().error
    assert error is not None
    assert error <= 0.15
    coefficients = dict(model.report().coefficients)
    assert coefficients["cold_adapter"] * speed == pytest.approx(900e-6, rel=0.3)
    assert coefficients["exact_token"] * speed == pytest.approx(90e-6, rel=0.3)


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_a_change_of_speed_is_followed(factor: float) -> None:
    model, dice = LatencyModel(), random.Random(1)
    run(model, machine(), 200, dice)
    assert sorted(run(model, machine(factor), 10, dice))[5] > 0.3
    run(model, machine(factor), 140, dice)
    assert sorted(run(model, machine(factor), 21, dice))[10] <= 0.15


def test_a_stall_teaches_little() -> None:
    model, dice = LatencyModel(), random.Random(2)
    run(model, machine(), 150, dice)
    shape = batch(dice)
    before = model.predict(shape)
    for _ in range(3):
        model.observe(batch(dice), 20.0)
    assert model.predict(shape) == pytest.approx(before, rel=0.2)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 99), st.integers(0, 2000), st.integers(1, 50), st.floats(1e-6, 100)
        ),
        min_size=READY,
        max_size=60,
    )
)
def test_whatever_it_sees_no_coefficient_is_negative_or_endless(
    seen: list[tuple[int, int, int, float]],
) -> None:
    model = LatencyModel()
    for texts, tokens, adapters, seconds in seen:
        model.observe(BatchShape(texts, tokens, 0, adapters, 0), seconds)
    found = model.report().coefficients
    assert [name for name, _ in found] == list(TERMS)
    assert all(0 <= value < math.inf for _, value in found)


def test_what_has_not_been_seen_lately_keeps_its_price() -> None:
    model, dice = LatencyModel(), random.Random(3)
    run(model, machine(), 200, dice)
    before = dict(model.report().coefficients)["exact_token"]
    for _ in range(3000):
        shape = batch(dice)
        plain = BatchShape(shape.texts, shape.plot_tokens, 0, shape.adapters, shape.cold)
        model.observe(plain, machine()(plain))
    assert dict(model.report().coefficients)["exact_token"] == pytest.approx(before, rel=0.1)
