from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.arrivals import Process, instants

rates = st.floats(0.5, 500)
seeds = st.integers(0, 2**32)
processes = st.sampled_from(["poisson", "gamma"])


@given(rates, processes, st.floats(0, 5), seeds)
def test_instants_ascend_and_stay_below_the_duration(
    rate: float, process: Process, cv: float, seed: int
) -> None:
    found = list(instants(rate, process, cv, 5.0, np.random.default_rng(seed)))
    assert all(0 <= one < 5.0 for one in found)
    assert all(early <= late for early, late in pairwise(found))


@given(processes, st.floats(0.1, 3), seeds)
def test_the_same_seed_gives_the_same_instants(process: Process, cv: float, seed: int) -> None:
    def once() -> list[float]:
        return list(islice(instants(10, process, cv, None, np.random.default_rng(seed)), 50))

    assert once() == once()


@given(rates, st.floats(0.5, 50), seeds)
def test_a_longer_run_begins_like_a_shorter_one(rate: float, duration: float, seed: int) -> None:
    short = list(instants(rate, "poisson", 1, duration, np.random.default_rng(seed)))
    longer = instants(rate, "poisson", 1, 2 * duration, np.random.default_rng(seed))
    assert list(islice(longer, len(short))) == short


@pytest.mark.parametrize(
    ("process", "cv", "expected"), [("poisson", 9.0, 1.0), ("gamma", 0.5, 0.5), ("gamma", 3.0, 3.0)]
)
def test_gaps_have_the_mean_and_the_variation_asked_for(
    process: Process, cv: float, expected: float
) -> None:
    due = np.fromiter(
        islice(instants(50, process, cv, None, np.random.default_rng(1)), 40_000), float
    )
    gaps = np.diff(due)
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(expected, rel=0.05)


def test_without_variation_requests_come_evenly() -> None:
    due = list(instants(4, "gamma", 0, 1.1, np.random.default_rng(0)))
    assert due == pytest.approx([0.25, 0.5, 0.75, 1.0])
