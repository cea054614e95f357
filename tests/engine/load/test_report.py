from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.load.ledger import Ledger
from engine.load.report import summarise
from engine.load.table import render
from tests.hmi_tui.cli.documents import a_timing

MODELS = ["acme/x", "acme/y", "birch/z"]


def _ledger(latencies: list[tuple[int, float]]) -> Ledger:
    ledger = Ledger()
    for model, latency in latencies:
        ledger.leave(0.001)
        ledger.answer(model, 1.0, 1.0 + latency, a_timing())
    return ledger


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=200))
def test_percentiles_are_those_of_all_answers(latencies: list[float]) -> None:
    report = summarise(_ledger([(0, one) for one in latencies]), MODELS, 10)
    assert report.latency_s is not None
    assert report.latency_s["p50"] == pytest.approx(float(np.percentile(latencies, 50)))
    assert list(report.latency_s.values()) == sorted(report.latency_s.values())
    assert report.mean_latency_s == pytest.approx(float(np.mean(latencies)))


def test_throughput_counts_answers_until_the_last_came() -> None:
    report = summarise(_ledger([(0, 3.0), (1, 1.0)]), MODELS, 2.0)
    assert report.seconds == 4.0
    assert report.answered_per_s == 0.5
    assert report.offered_per_s == 1.0


def test_tenants_are_compared() -> None:
    report = summarise(_ledger([(0, 0.1), (1, 0.1), (2, 0.4)]), MODELS, 1)
    assert report.tenants == 2
    assert report.tenant_p99_s is not None
    assert (report.tenant_p99_s.least, report.tenant_p99_s.most) == pytest.approx((0.1, 0.4))
    assert report.tenant_answers is not None
    assert (report.tenant_answers.least, report.tenant_answers.most) == (1, 2)


def test_exact_answers_do_not_dilute_the_hit_rate() -> None:
    ledger = _ledger([(0, 0.1)])
    ledger.leave(0)
    ledger.answer(1, 1.0, 1.1, a_timing(hit_rate=None))
    assert summarise(ledger, MODELS, 1).hit_rate == 0.5


def test_errors_are_listed_by_code_the_commonest_first() -> None:
    ledger = _ledger([(0, 0.1)])
    for code in ("timeout", "queue_full", "queue_full"):
        ledger.leave(0)
        ledger.fail(code, 2.0)
    report = summarise(ledger, MODELS, 1)
    assert list(report.errors) == ["queue_full", "timeout"]
    assert "queue_full 2, timeout 1" in render(report)


def test_a_run_without_answers_has_a_report() -> None:
    report = summarise(Ledger(), MODELS, 0)
    assert (report.latency_s, report.hit_rate, report.answered_per_s) == (None, None, 0)
    assert "errors" in render(report)


def test_the_table_has_every_percentile_and_stage() -> None:
    told = render(summarise(_ledger([(0, 0.1)]), MODELS, 1))
    for name in ("p50", "p90", "p99", "p99.9", "queue", "retrieve", "load", "compute", "by tenant"):
        assert name in told


def test_the_document_is_json() -> None:
    document = summarise(_ledger([(0, 0.1)]), MODELS, 1).document()
    assert json.loads(json.dumps(document)) == document
