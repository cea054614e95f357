from __future__ import annotations

from dataclasses import replace

import pytest

from engine.bench.about import about_run
from engine.bench.calibrate import Exchange, coefficients, split_retrieve
from engine.bench.speed import EXACT, UNCACHED, WARM, DatasetSpeed
from engine.knowledge.retrieved import Lookups
from engine.schema import Timing

TIMING = Timing(
    queue_s=0.001,
    retrieve_s=0.002,
    load_s=0.004,
    compute_s=0.003,
    hit_rate=None,
    batch_size=1,
    tier="host",
    mode="exact",
)
PATH = DatasetSpeed(
    dataset="d",
    domain="d",
    texts=10,
    tokens=100,
    entries=1,
    batches={EXACT: [0.5, 0.5]},
    lookups={
        WARM: Lookups(hits=90, cached=0, backed_off=0, computed=10),
        UNCACHED: Lookups(hits=50, cached=0, backed_off=0, computed=50),
    },
    stages={
        WARM: {"retrieve": 0.2, "compute": 0.3},
        UNCACHED: {"retrieve": 0.6, "compute": 0.3},
    },
)


def test_a_lookup_and_a_miss_are_told_apart_by_two_shares_of_misses() -> None:
    lookup, miss = split_retrieve(PATH)
    assert miss == pytest.approx(0.01)
    assert 100 * lookup + 10 * miss == pytest.approx(0.2)
    assert 100 * lookup + 50 * miss == pytest.approx(0.6)


def test_noise_makes_no_negative_time() -> None:
    stages = {WARM: {"retrieve": 0.6, "compute": 0.3}, UNCACHED: {"retrieve": 0.2, "compute": 0.3}}
    lookup, miss = split_retrieve(replace(PATH, stages=stages))
    assert lookup == pytest.approx(0.006)
    assert miss == 0.0


def test_only_this_process_own_share_of_the_core_counts() -> None:
    cold = TIMING.model_copy(update={"load_s": 0.02})
    exchange = Exchange([(cold, 0.1)], [(TIMING, 0.014)], ours=0.5)
    about = about_run(threads=1, seed=0, dtype="bfloat16")
    found = coefficients(PATH, 0.25, exchange, about)
    assert found.exact_token_s == pytest.approx(0.25 * 0.01)
    assert found.upper_token_s == pytest.approx(0.25 * 0.003)
    assert found.adapter_load_s == pytest.approx(0.01)
    assert found.adapter_copy_s == pytest.approx(0.002)
    assert found.api_request_s == pytest.approx(0.5 * 0.004)
    assert found.float_bytes == 2
