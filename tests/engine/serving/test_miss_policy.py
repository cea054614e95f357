"""What happens to n-grams that no table holds: the engine's policy, or a vPLM's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.schema import Timing, VplmPatch
from tests.engine.appliance.small import (
    TEXTS,
    Ask,
    classify,
    make_domain,
    make_tenant,
    make_vplm,
    opened,
    same,
    small_settings,
    together,
    tolerance_of,
)

POLICIES = {"acme/computes": "compute", "acme/backs-off": "backoff", "acme/follows": None}


@pytest.fixture(scope="module")
def home(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Path, encoder_file: Path
) -> Settings:
    """Three vPLMs of one domain, each with another policy; nothing that is computed is kept."""
    home = tmp_path_factory.mktemp("home")
    settings = small_settings(home, checkpoint, encoder_file, table_cache=0)
    with opened(settings) as appliance:
        make_tenant(appliance)
        make_domain(appliance, "reviews")
        for model, miss in POLICIES.items():
            make_vplm(appliance, model, domain="reviews", miss=miss)
    return settings


@pytest.fixture(scope="module")
def computing(home: Settings) -> Iterator[Appliance]:
    with opened(home) as appliance:
        yield appliance


def timing(appliance: Appliance, model: str) -> Timing:
    return classify(appliance, model, list(TEXTS)).timing


def backs_off(timing: Timing) -> bool:
    """It either backs off or computes, and these texts miss."""
    assert timing.backed_off_rate is not None
    assert timing.computed_rate is not None
    assert (timing.backed_off_rate > 0) != (timing.computed_rate > 0)
    return timing.backed_off_rate > 0


def test_a_policy_outlives_the_engine_and_is_shown(computing: Appliance) -> None:
    assert {model: computing.vplm(model).miss for model in POLICIES} == POLICIES


@pytest.mark.parametrize("engine", ["compute", "backoff"])
def test_a_vplm_without_a_policy_follows_the_engine(home: Settings, engine: str) -> None:
    with opened(replace(home, miss=engine)) as appliance:
        found = {model: backs_off(timing(appliance, model)) for model in POLICIES}
    assert found == {
        "acme/computes": False,
        "acme/backs-off": True,
        "acme/follows": engine == "backoff",
    }


def test_the_shares_of_an_answer_add_up(computing: Appliance) -> None:
    for model in POLICIES:
        found = timing(computing, model)
        shares = (
            found.hit_rate,
            found.cached_rate,
            found.backed_off_rate,
            found.computed_rate,
        )
        assert sum(share or 0.0 for share in shares) == pytest.approx(1)
    exact = classify(computing, "acme/computes", "a good film", "exact").timing
    assert (exact.hit_rate, exact.computed_rate, exact.backed_off_rate) == (None, None, None)


def test_one_batch_serves_each_text_by_its_own_policy(computing: Appliance) -> None:
    asks: list[Ask] = [(model, "plot", TEXTS[1:]) for model in POLICIES]
    alone = [outcomes for ask in asks for outcomes in together(computing, [ask])]
    found = together(computing, asks)
    assert {o.batch_size for outcomes in found for o in outcomes} == {len(asks) * len(TEXTS[1:])}
    for (model, _, _), outcomes, lonely in zip(asks, found, alone, strict=True):
        shorter = sum(o.lookups.backed_off for o in outcomes if o.lookups is not None)
        assert (shorter > 0) == (POLICIES[model] == "backoff"), model
        assert [o.lookups for o in outcomes] == [o.lookups for o in lonely]
        answers, expected = ([o.values for o in each] for each in (outcomes, lonely))
        assert same(answers, expected, tolerance_of(computing)), model


def test_a_policy_can_be_changed_and_given_back_to_the_engine(computing: Appliance) -> None:
    changed = computing.change_vplm("acme/follows", VplmPatch(miss="backoff"))
    assert changed.miss == "backoff"
    assert backs_off(timing(computing, "acme/follows"))
    assert computing.change_vplm("acme/follows", VplmPatch(mode="plot")).miss == "backoff"
    assert computing.change_vplm("acme/follows", VplmPatch(miss=None)).miss is None
    assert not backs_off(timing(computing, "acme/follows"))


def test_the_traffic_of_all_policies_is_counted_for_the_domain(computing: Appliance) -> None:
    before = computing.domain("reviews")
    asks: list[Ask] = [(model, "plot", TEXTS[1:]) for model in POLICIES]
    outcomes = [o for each in together(computing, asks) for o in each]
    lookups = [o.lookups for o in outcomes if o.lookups is not None]
    after = computing.domain("reviews")
    assert after.hits - before.hits == sum(found.hits for found in lookups)
    assert after.misses - before.misses == sum(found.tokens - found.hits for found in lookups)
