from __future__ import annotations

import pytest

from engine.schema import QueueStatus, TierStatus
from engine.telemetry.metrics import MAX_LABELS, Metrics
from engine.telemetry.window import Window, quantile


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_observed_is_rendered_with_the_prefix_and_in_base_units() -> None:
    metrics = Metrics()
    metrics.observe_request("acme", "ok", 0.02, 3, 30)
    metrics.observe_request("acme", "queue_full", 0.0, 1, 5)
    metrics.observe_batch({"retrieve": 0.001, "compute": 0.02}, 3)
    metrics.observe_lookups("reviews", 20, 10)
    metrics.job_ended("train", "succeeded")
    tier = TierStatus(
        resident=4,
        bytes=40,
        budget_bytes=None,
        hits=5,
        misses=6,
        evictions=7,
        bytes_moved=8,
        seconds=0.5,
        prefetched=9,
        prefetched_used=3,
        cancelled=1,
        waiting=2,
    )
    text = metrics.render(QueueStatus(depth=1, tokens=2, limit_tokens=9), {"host": tier}).decode()
    for line in (
        'hmi_requests_total{outcome="ok",tenant="acme"} 1.0',
        'hmi_requests_total{outcome="queue_full",tenant="acme"} 1.0',
        "hmi_texts_total 3.0",
        "hmi_tokens_total 30.0",
        "hmi_request_seconds_count 1.0",
        'hmi_stage_seconds_sum{stage="compute"} 0.02',
        "hmi_batch_texts_sum 3.0",
        "hmi_queue_depth 1.0",
        "hmi_queue_tokens 2.0",
        'hmi_tier_resident{tier="host"} 4.0',
        'hmi_tier_bytes{tier="host"} 40.0',
        'hmi_tier_hits_total{tier="host"} 5.0',
        'hmi_tier_misses_total{tier="host"} 6.0',
        'hmi_tier_evictions_total{tier="host"} 7.0',
        'hmi_tier_moved_bytes_total{tier="host"} 8.0',
        'hmi_tier_prefetched_total{tier="host"} 9.0',
        'hmi_tier_prefetched_used_total{tier="host"} 3.0',
        'hmi_tier_cancelled_total{tier="host"} 1.0',
        'hmi_tier_waiting{tier="host"} 2.0',
        'hmi_table_lookups_total{domain="reviews",outcome="hit"} 20.0',
        'hmi_table_lookups_total{domain="reviews",outcome="computed"} 10.0',
        'hmi_jobs_total{state="succeeded",type="train"} 1.0',
    ):
        assert line in text.splitlines()
    assert "hmi_process_resident_bytes" in text
    assert "_created" not in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert all(name.startswith("hmi_") for name in names)


def test_only_so_many_tenants_have_series_of_their_own() -> None:
    metrics = Metrics()
    for number in range(MAX_LABELS + 10):
        metrics.observe_request(f"t{number}", "ok", 0.1, 1, 1)
    metrics.observe_request("t0", "ok", 0.1, 1, 1)
    text = metrics.render().decode()
    assert 'tenant="other"} 10.0' in text
    assert 'tenant="t0"} 2.0' in text
    assert f'tenant="t{MAX_LABELS}"' not in text


def test_two_engines_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.observe_request("acme", "ok", 0.1, 1, 1)
    assert b'tenant="acme"' not in other.render()


def test_rates_are_those_of_the_window_alone() -> None:
    clock = Clock()
    metrics = Metrics(Window(clock))
    metrics.observe_request("acme", "ok", 9.0, 1000, 1000)
    clock.now += 100
    for seconds in (0.1, 0.2, 0.3, 0.4):
        metrics.observe_request("acme", "ok", seconds, 2, 20)
    metrics.observe_request("acme", "queue_full", 5.0, 2, 20)
    metrics.observe_batch({}, 4)
    metrics.observe_batch({}, 8)
    metrics.observe_lookups("reviews", 30, 10)
    rates = metrics.rates()
    assert rates.window_s == 30
    assert rates.requests_per_s == pytest.approx(5 / 30)
    assert rates.texts_per_s == pytest.approx(8 / 30)
    assert rates.tokens_per_s == pytest.approx(80 / 30)
    assert rates.errors_per_s == pytest.approx(1 / 30)
    assert (rates.p50_s, rates.p99_s) == (0.2, 0.4)
    assert rates.hit_rate == 0.75
    assert rates.batch_size == 6


def test_without_traffic_there_are_no_quantiles() -> None:
    rates = Metrics().rates()
    assert rates.requests_per_s == 0
    assert rates.p50_s is rates.p99_s is rates.hit_rate is rates.batch_size is None


def test_just_after_the_start_rates_are_over_the_time_since() -> None:
    clock = Clock()
    window = Window(clock)
    for _ in range(10):
        window.request(0.1, 1, 1, ok=True)
    clock.now += 5
    assert window.rates().requests_per_s == pytest.approx(2)


def test_a_flood_shortens_the_window_and_not_the_rate() -> None:
    clock = Clock()
    window = Window(clock, samples=100)
    clock.now += 1000
    for _ in range(1000):
        clock.now += 0.01
        window.request(0.1, 1, 1, ok=True)
    rates = window.rates()
    assert rates.window_s == pytest.approx(0.99)
    assert rates.requests_per_s == pytest.approx(100, rel=0.02)


def test_quantiles_are_nearest_ranks() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1.0)) == (50, 99, 100)
    assert quantile([7.0], 0.01) == 7.0
    assert quantile([], 0.5) is None


def test_each_tenants_rate_and_p99_are_its_own() -> None:
    clock = Clock()
    metrics = Metrics(Window(clock))
    clock.now += 100
    for seconds in (0.1, 0.2):
        metrics.observe_request("acme", "ok", seconds, 1, 10)
    metrics.observe_request("globex", "ok", 0.9, 1, 10)
    metrics.observe_request("globex", "queue_full", 0.0, 1, 10)
    found = metrics.tenants()
    assert found["acme"].requests_per_s == pytest.approx(2 / 30)
    assert (found["acme"].p50_s, found["acme"].p99_s) == (0.1, 0.2)
    assert found["globex"].requests_per_s == pytest.approx(2 / 30)
    assert found["globex"].p99_s == 0.9
    clock.now += 31
    assert metrics.tenants() == {}


def test_swaps_are_counted_over_the_window() -> None:
    clock = Clock()
    metrics = Metrics(Window(clock))
    clock.now += 100
    for _ in range(6):
        metrics.observe_swap()
    assert metrics.rates().swaps_per_s == pytest.approx(0.2)
