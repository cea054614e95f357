from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.ledger import Ledger
from engine.load.report import Asked, jain, summarise
from engine.load.table import render
from tests.engine.load.answers import an_answer

MODELS = ["acme/x", "acme/y", "birch/z"]


def _ledger(latencies: list[tuple[int, float]]) -> Ledger:
    ledger = Ledger()
    for model, latency in latencies:
        ledger.leave(model, 0.001)
        ledger.answer(model, 1.0, 1.0 + latency, an_answer())
    return ledger


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=200))
def test_percentiles_are_those_of_all_answers(latencies: list[float]) -> None:
    report = summarise(_ledger([(0, one) for one in latencies]), Asked(MODELS), 10)
    assert report.latency_s is not None
    assert report.latency_s["p50"] == pytest.approx(float(np.percentile(latencies, 50)))
    assert list(report.latency_s.values()) == sorted(report.latency_s.values())
    assert report.mean_latency_s == pytest.approx(float(np.mean(latencies)))


def test_throughput_counts_answers_until_the_last_came() -> None:
    report = summarise(_ledger([(0, 3.0), (1, 1.0)]), Asked(MODELS), 2.0)
    assert report.seconds == 4.0
    assert report.answered_per_s == 0.5
    assert report.offered_per_s == 1.0


def test_tenants_are_compared() -> None:
    report = summarise(_ledger([(0, 0.1), (1, 0.1), (2, 0.4)]), Asked(MODELS), 1)
    assert report.tenants == 2
    assert report.tenant_p99_s is not None
    assert (report.tenant_p99_s.least, report.tenant_p99_s.most) == pytest.approx((0.1, 0.4))
    assert report.tenant_answers is not None
    assert (report.tenant_answers.least, report.tenant_answers.most) == (1, 2)


def test_exact_answers_do_not_dilute_the_hit_rate() -> None:
    ledger = _ledger([(0, 0.1)])
    ledger.leave(1, 0)
    ledger.answer(1, 1.0, 1.1, an_answer(hit_rate=None))
    assert summarise(ledger, Asked(MODELS), 1).hit_rate == 0.5


def test_errors_are_listed_by_code_the_commonest_first() -> None:
    ledger = _ledger([(0, 0.1)])
    for code in ("timeout", "queue_full", "queue_full"):
        ledger.leave(0, 0)
        ledger.fail(0, code, 2.0)
    report = summarise(ledger, Asked(MODELS), 1)
    assert list(report.errors) == ["queue_full", "timeout"]
    assert "queue_full 2, timeout 1" in render(report)


def test_a_run_without_answers_has_a_report() -> None:
    report = summarise(Ledger(), Asked(MODELS), 0)
    assert (report.latency_s, report.hit_rate, report.answered_per_s) == (None, None, 0)
    assert "errors" in render(report)


def test_the_table_has_every_percentile_and_stage() -> None:
    told = render(summarise(_ledger([(0, 0.1)]), Asked(MODELS), 1))
    for name in ("p50", "p90", "p99", "p99.9", "queue", "retrieve", "load", "compute", "by tenant"):
        assert name in told


def test_the_document_is_json() -> None:
    document = summarise(_ledger([(0, 0.1)]), Asked(MODELS), 1).document()
    assert json.loads(json.dumps(document)) == document


def test_what_lies_outside_the_stages_is_a_stage_of_its_own() -> None:
    report = summarise(_ledger([(0, 0.1)]), Asked(MODELS), 1)
    assert report.stage_s is not None
    assert report.stage_s["compute"]["p99"] == pytest.approx(0.004)
    assert report.stage_s["outside"]["p50"] == pytest.approx(0.1 - 0.010)


def test_goodput_counts_what_was_answered_in_time_of_all_that_was_sent() -> None:
    ledger = _ledger([(0, 0.1), (0, 0.2), (1, 0.3)])
    ledger.leave(0, 0)
    ledger.fail(0, "queue_full", 1.5)
    good = summarise(ledger, Asked(MODELS, slo_s=0.25), 2).goodput
    assert good is not None
    assert (good.share, good.per_s) == (0.5, 1.0)
    assert "within 250.0 ms" in render(summarise(ledger, Asked(MODELS, slo_s=0.25), 2))


def test_a_hot_tenant_is_told_of_by_itself() -> None:
    ledger = _ledger([(0, 0.9), (1, 0.9), (2, 0.1)])
    ledger.leave(0, 0)
    ledger.fail(0, "queue_full", 1.5)
    report = summarise(ledger, Asked(MODELS, hot="acme"), 1)
    assert report.hot is not None
    assert report.others is not None
    assert (report.hot.sent, report.hot.answered, report.hot.failed) == (3, 2, 1)
    assert (report.others.sent, report.others.tenants) == (1, 1)
    assert report.others.latency_s is not None
    assert report.others.latency_s["p99"] == pytest.approx(0.1)
    assert "hot tenant" in render(report)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=50), st.floats(0.1, 10))
def test_jains_index_is_one_for_equals_and_knows_no_scale(
    shares: list[float], scale: float
) -> None:
    values = np.array(shares)
    assert 1 / len(shares) <= jain(values) * (1 + 1e-9)
    assert jain(values) <= 1 + 1e-9
    assert jain(values * scale) == pytest.approx(jain(values))
    assert jain(np.full(len(shares), scale)) == pytest.approx(1)


def test_jains_index_is_least_when_one_has_all() -> None:
    assert jain(np.array([5.0, 0, 0, 0])) == pytest.approx(0.25)


def test_tokens_count_for_fairness_where_answers_alone_look_fair() -> None:
    ledger = Ledger()
    for model, tokens in ((0, 10), (2, 90)):
        ledger.leave(model, 0)
        ledger.answer(model, 0.0, 1.0, an_answer(tokens))
    fair = summarise(ledger, Asked(MODELS), 1).fairness
    assert fair is not None
    assert fair.answers == 1
    assert fair.tokens == pytest.approx(100**2 / (2 * (10**2 + 90**2)))
