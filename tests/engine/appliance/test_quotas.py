"""Quotas, weights and refusals as the calls and the status show them."""

from __future__ import annotations

import asyncio

import pytest

from engine.appliance import Appliance
from engine.errors import QuotaExceeded
from engine.schema import ClassifyRequest, Quota, TenantCreate, TenantPatch
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
