"""Quotas, weights and refusals as the calls and the status show them."""

from __future__ import annotations

import asyncio

import pytest

from engine.appliance import Appliance
from engine.errors import QuotaExceeded, QuotaReached
from engine.schema import ClassifyRequest, Quota, TenantCreate, TenantPatch, TrainRequest
from engine.serving.latency import TERMS
from tests.engine.appliance.small import classify, core_of, make_tenant, make_vplm, until


def test_a_tenant_that_asks_too_often_is_refused_and_counted(appliance: Appliance) -> None:
    make_vplm(appliance)
    appliance.change_tenant("acme", TenantPatch(quota=Quota(rps=0.01)))
    classify(appliance, "acme/a", "a good film")
    with pytest.raises(QuotaExceeded, match=r"0\.01 requests a second") as refused:
        classify(appliance, "acme/a", "a good film")
    assert refused.value.retry_after > 10
    queue = appliance.status().queue
    assert queue.refused == {"quota_rps": 1}
    assert 'hmi_refused_total{reason="quota_rps"} 1.0' in appliance.render_metrics().decode()


async def test_a_tenant_with_too_many_requests_in_flight_is_refused(appliance: Appliance) -> None:
    await asyncio.to_thread(make_vplm, appliance)
    quota = TenantPatch(quota=Quota(concurrency=2))
    await asyncio.to_thread(appliance.change_tenant, "acme", quota)
    request = ClassifyRequest(model="acme/a", input="a good film")
    ended = await asyncio.gather(
        *(appliance.classify(request) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, QuotaExceeded) for each in ended) == 2
    await appliance.classify(request)


def test_a_quota_holds_from_the_start_and_goes_with_its_tenant(appliance: Appliance) -> None:
    tenants = core_of(appliance).tenants
    appliance.create_tenant(TenantCreate(name="globex", weight=3, quota=Quota(rps=2)))
    assert (tenants.weight("globex"), tenants.terms("globex").rps) == (3, 2)
    appliance.change_tenant("globex", TenantPatch(weight=5))
    assert (tenants.weight("globex"), tenants.terms("globex").rps) == (5, 2)
    appliance.remove_tenant("globex")
    assert (tenants.weight("globex"), tenants.terms("globex").rps) == (1, None)


def test_the_quotas_of_an_earlier_engine_hold(appliance: Appliance) -> None:
    make_tenant(appliance, "globex")
    appliance.change_tenant("globex", TenantPatch(weight=7, quota=Quota(concurrency=4)))
    book = type(core_of(appliance).tenants)(core_of(appliance).catalogue)
    assert book.terms("globex") == core_of(appliance).tenants.terms("globex")
    assert book.terms("globex").concurrency == 4


def test_the_status_shows_what_the_latency_model_has_learned(appliance: Appliance) -> None:
    make_vplm(appliance)
    for _ in range(10):
        classify(appliance, "acme/a", "a good film")
    # A batch is counted after its answers have left.
    until(lambda: core_of(appliance).queue.report().batches == 10, "the end of the last batch")
    queue = appliance.status().queue
    assert queue.busiest == []
    assert queue.latency is not None
    assert queue.latency.error is not None
    assert set(queue.latency.coefficients) == set(TERMS)


def test_a_tenant_that_has_trained_as_long_as_it_may_this_month_trains_no_more(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_vplm(appliance)
    rows = b"".join(
        b'{"text": "%d", "label": "%s"}\n' % (i, (b"no", b"yes")[i % 2]) for i in range(40)
    )
    appliance.put_dataset("acme", "data", iter([rows]), "jsonl", "text", "label")
    appliance.change_tenant("acme", TenantPatch(quota=Quota(training_minutes=2)))
    spent = {"acme": 119.0}
    monkeypatch.setattr(core_of(appliance).usage, "training_seconds", lambda: spent)
    order = TrainRequest(vplm="acme/a", dataset="data", when="idle")
    appliance.cancel_job(appliance.train(order).id)
    spent["acme"] = 120.0
    with pytest.raises(QuotaReached, match=r"training_minutes .* is 2 a month, .* 2\.0") as refused:
        appliance.train(order)
    assert (refused.value.code, refused.value.exit_code) == ("quota_training_minutes", 5)
    assert "-01" in refused.value.remedy


async def test_use_is_seen_against_the_quota(appliance: Appliance) -> None:
    await asyncio.to_thread(make_vplm, appliance)
    quota = TenantPatch(quota=Quota(concurrency=2))
    await asyncio.to_thread(appliance.change_tenant, "acme", quota)
    with core_of(appliance).admission.admit("acme"):
        assert (await asyncio.to_thread(appliance.tenant, "acme")).in_flight == 1
    assert (await asyncio.to_thread(appliance.tenant, "acme")).in_flight == 0


def test_calls_that_ask_no_vplm_count_against_the_rate_alone(appliance: Appliance) -> None:
    appliance.change_tenant("acme", TenantPatch(quota=Quota(rps=0.01, concurrency=1)))
    with core_of(appliance).admission.admit("acme"), pytest.raises(QuotaExceeded) as refused:
        appliance.count_call("acme")
    assert refused.value.code == "quota_rps"
    appliance.change_tenant("acme", TenantPatch(quota=Quota(concurrency=1)))
    with core_of(appliance).admission.admit("acme"):
        appliance.count_call("acme")
