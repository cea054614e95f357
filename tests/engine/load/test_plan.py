from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.plan import Hot, Profile, choose, plan, tenant_of
from engine.load.popularity import Popularity, picks, shares
from engine.load.ramp import parse_ramp

NINE = [f"{tenant}/m{i}" for tenant in "abc" for i in range(3)]
TEXTS = [f"text {i}" for i in range(7)]


@given(
    st.integers(1, 500),
    st.sampled_from(["uniform", "zipf"]),
    st.floats(0, 3),
    st.integers(0, 2**32),
)
def test_shares_sum_to_one_and_picks_stay_inside(
    count: int, popularity: Popularity, s: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    share = shares(count, popularity, s, rng)
    assert share.sum() == pytest.approx(1)
    assert all(0 <= pick < count for pick in islice(picks(share, rng), 200))


def test_zipf_asks_the_first_as_often_as_its_rank_says() -> None:
    share = np.sort(shares(100, "zipf", 1.0, np.random.default_rng(0)))[::-1]
    assert share[0] / share[9] == pytest.approx(10)


def test_picks_follow_the_shares() -> None:
    rng = np.random.default_rng(0)
    counted = Counter(islice(picks(np.array([0.7, 0.2, 0.1]), rng), 20_000))
    assert [counted[i] / 20_000 for i in range(3)] == pytest.approx([0.7, 0.2, 0.1], abs=0.02)


def test_a_plan_is_repeatable_and_seeds_differ() -> None:
    profile = Profile(duration=5)
    assert list(plan(profile, NINE, TEXTS)) == list(plan(profile, NINE, TEXTS))
    assert list(plan(profile, NINE, TEXTS)) != list(plan(replace(profile, seed=1), NINE, TEXTS))


def test_changing_the_popularity_leaves_instants_and_texts_alone() -> None:
    profile = Profile(duration=5)
    one, other = (
        list(plan(replace(profile, popularity=kind), NINE, TEXTS)) for kind in ("uniform", "zipf")
    )
    assert [(p.at, p.text) for p in one] == [(p.at, p.text) for p in other]
    assert [p.model for p in one] != [p.model for p in other]


def test_every_text_is_said_before_one_is_said_again() -> None:
    said = [request.text for request in islice(plan(Profile(), NINE, TEXTS), len(TEXTS))]
    assert sorted(said) == TEXTS


def test_limits_choose_from_every_tenant_in_turn() -> None:
    models = [f"{tenant}/m{i}" for tenant in "abc" for i in range(4)]
    assert choose(models, None, None) == models
    assert choose(models, 2, None) == models[:8]
    assert choose(models, None, 4) == ["a/m0", "a/m1", "b/m0", "c/m0"]


@pytest.mark.parametrize("popularity", ["uniform", "zipf"])
def test_a_hot_tenant_comes_on_top_of_the_others(popularity: Popularity) -> None:
    profile = Profile(rate=200, duration=20, popularity=popularity)
    usual = list(plan(profile, NINE, TEXTS))
    hot = list(plan(replace(profile, hot=Hot("b", 5)), NINE, TEXTS))
    assert [p.at for p in hot] == sorted(p.at for p in hot)
    assert set(usual) <= set(hot)
    assert {tenant_of(NINE[p.model]) for p in set(hot) - set(usual)} == {"b"}
    own = [sum(tenant_of(NINE[p.model]) == "b" for p in run) for run in (usual, hot)]
    assert own[1] / own[0] == pytest.approx(5, rel=0.15)


def test_a_ramp_takes_the_place_of_rate_and_duration() -> None:
    profile = Profile(rate=1e5, duration=None, ramp=parse_ramp("100:10,300:10"))
    due = np.array([request.at for request in plan(profile, NINE, TEXTS)])
    assert due.max() < 20
    assert [(due < 10).sum(), (due >= 10).sum()] == pytest.approx([1000, 3000], rel=0.1)
