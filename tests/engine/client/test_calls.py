from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type

import pytest

from engine.client import AsyncClient, Call, Client, calls, checked
from engine.errors import BadInput, Refused
from engine.schema import (
    BackboneImport,
    Card,
    DomainUpdate,
    PromoteRequest,
    PublishRequest,
    Quota,
    RebuildRequest,
    RollbackRequest,
    StarterPublish,
    Tenant,
    TenantCreate,
    TenantPatch,
    TrainRequest,
    VplmBulkCreate,
    VplmCreate,
    VplmPatch,
)
from tests.engine.api import scripted
from tests.engine.api.running import Running

VPLM = VplmCreate(tenant="acme", name="polarity", labels=["negative", "positive"])
BULK = VplmBulkCreate(tenant="acme", name="m", count=1, labels=["a", "b"])
OFFER = StarterPublish(name="po", vplm="acme/polarity", owner="acme", card=Card(task="t"))
TRAIN = TrainRequest(vplm="acme/polarity", dataset="sst2")

# What is called, what the appliance is asked, and what comes back.
CALLS: list[tuple[Callable[[Any], Any], tuple[str, tuple[Any, ...]], Any]] = [
    (lambda c: c.status(), ("status", ()), scripted.STATUS),
    (lambda c: c.trace(2.5).events, ("trace", (2.5,)), [scripted.TRACE_EVENT]),
    (lambda c: c.spans(), ("spans", (None, 1024)), scripted.SPANS),
    (lambda c: c.spans(0, 9).data, ("spans", (0, 9)), scripted.SPANS.data),
    (lambda c: c.slots(2, 9), ("slots", (2, 9)), scripted.SLOTS),
    (lambda c: c.slot(3), ("slot", (3,)), scripted.SLOT),
    (
        lambda c: c.tenants("ac", 5, "7", "-name").data[0],
        ("tenants", ("ac", "-name", 5, "7")),
        None,
    ),
    (lambda c: c.tenant("acme").name, ("tenant", ("acme",)), "acme"),
    (
        lambda c: c.create_tenant("acme", 2.0, Quota(vplms=3)).api_key,
        ("create_tenant", (TenantCreate(name="acme", weight=2.0, quota=Quota(vplms=3)),)),
        "k",
    ),
    (
        lambda c: c.change_tenant("acme", weight=3.0).name,
        ("change_tenant", ("acme", TenantPatch(weight=3.0))),
        "acme",
    ),
    (lambda c: c.remove_tenant("acme"), ("remove_tenant", ("acme",)), None),
    (lambda c: c.rotate_key("acme").api_key, ("rotate_key", ("acme",)), "k"),
    (lambda c: c.domains().data, ("domains", ("classifier",)), [scripted.DOMAIN]),
    (
        lambda c: c.domains("generator").data,
        ("domains", ("generator",)),
        [scripted.DOMAIN],
    ),
    (lambda c: c.domain("reviews"), ("domain", ("reviews", "classifier")), scripted.DOMAIN),
    (
        lambda c: (
            c.rebuild_domain(
                "reviews", RebuildRequest(alpha=0.25, budget_bytes=10, threshold=0.5)
            ).id
        ),
        (
            "rebuild_domain",
            ("reviews", RebuildRequest(alpha=0.25, budget_bytes=10, threshold=0.5)),
        ),
        "j1",
    ),
    (
        lambda c: c.change_domain("reviews", "films"),
        ("change_domain", ("reviews", DomainUpdate(parent="films"))),
        scripted.DOMAIN,
    ),
    (
        lambda c: c.change_domain(
            "reviews", update="miss_rate", miss_rate=0.3, min_lookups=9, cooldown_s=1.5
        ),
        (
            "change_domain",
            (
                "reviews",
                DomainUpdate(update="miss_rate", miss_rate=0.3, min_lookups=9, cooldown_s=1.5),
            ),
        ),
        scripted.DOMAIN,
    ),
    (
        lambda c: c.rebuild_cost("reviews", RebuildRequest(alpha=0.25)),
        ("rebuild_cost", ("reviews", RebuildRequest(alpha=0.25))),
        scripted.COST,
    ),
    (lambda c: c.epochs("reviews").data, ("epochs", ("reviews", "classifier")), [scripted.EPOCH]),
    (
        lambda c: c.ngrams("reviews", "b", 9, "generator").total,
        ("ngrams", ("reviews", "b", 9, "generator")),
        1,
    ),
    (lambda c: c.remove_domain("reviews"), ("remove_domain", ("reviews",)), None),
    (
        lambda c: c.vplms("po", "acme", 5, "7", "name").next_cursor,
        ("vplms", ("po", "acme", "name", 5, "7")),
        "1",
    ),
    (
        lambda c: c.vplms("po", fuzzy=True).total,
        ("vplms", ("po", None, None, 100, None, True)),
        1,
    ),
    (lambda c: c.vplm("acme/polarity"), ("vplm", ("acme/polarity",)), scripted.VPLM),
    (lambda c: c.create_vplm(VPLM), ("create_vplm", (VPLM,)), scripted.CREATED),
    (lambda c: c.create_vplms(BULK), ("create_vplms", (BULK,)), ["acme/m-00001"]),
    (
        lambda c: c.change_vplm("acme/polarity", pin=False),
        ("change_vplm", ("acme/polarity", VplmPatch(pin=False))),
        scripted.VPLM,
    ),
    (
        lambda c: c.change_vplm("acme/polarity", mode="exact", miss="backoff"),
        ("change_vplm", ("acme/polarity", VplmPatch(mode="exact", miss="backoff"))),
        scripted.VPLM,
    ),
    (lambda c: c.versions("acme/polarity"), ("versions", ("acme/polarity",)), scripted.VERSIONS),
    (
        lambda c: c.roll_back("acme/polarity", 3),
        ("roll_back", ("acme/polarity", RollbackRequest(version=3))),
        scripted.PUBLISHED,
    ),
    (
        lambda c: c.publish_adapter("acme/polarity", "ab"),
        ("publish_adapter", ("acme/polarity", PublishRequest(adapter="ab"))),
        scripted.PUBLISHED,
    ),
    (
        lambda c: c.promote("acme/polarity", "live"),
        ("promote", ("acme/polarity", PromoteRequest(to="live"))),
        scripted.PUBLISHED,
    ),
    (
        lambda c: c.starters("po", "acme", 5, "7", "name").data,
        ("starters", ("po", "acme", "name", 5, "7")),
        [scripted.STARTER],
    ),
    (lambda c: c.starter("polarity:1"), ("starter", ("polarity:1", None)), scripted.STARTER),
    (lambda c: c.starter("acme/po"), ("starter", ("acme/po", None)), scripted.STARTER),
    (lambda c: c.publish_starter(OFFER), ("publish_starter", (OFFER,)), scripted.STARTER),
    (lambda c: c.remove_starter("acme/po:2"), ("remove_starter", ("acme/po:2",)), None),
    (lambda c: c.backbones(), ("backbones", ()), [scripted.BACKBONE]),
    (lambda c: c.backbone("small:1"), ("backbone", ("small:1",)), scripted.BACKBONE),
    (
        lambda c: c.import_backbone(Path("/x"), split=2),
        ("import_backbone", (BackboneImport(path="/x", split=2),)),
        scripted.BACKBONE,
    ),
    (lambda c: c.remove_backbone("small"), ("remove_backbone", ("small",)), None),
    (lambda c: c.corpus("reviews").sha256, ("corpus", ("reviews",)), "ab"),
    (lambda c: c.remove_vplm("acme/polarity"), ("remove_vplm", ("acme/polarity",)), None),
    (lambda c: c.adapters().bytes, ("adapters", ("", None, 100, None)), 10),
    (lambda c: c.adapter("ab"), ("adapter", ("ab",)), scripted.ADAPTER),
    (lambda c: c.adapters(unused=True).bytes, ("adapters", ("", None, 100, None, True)), 10),
    (lambda c: c.verify_adapter("ab").ok, ("verify_adapter", ("ab",)), True),
    (lambda c: c.remove_adapter("ab"), ("remove_adapter", ("ab",)), None),
    (lambda c: c.adapterhub_folder("ab"), ("adapterhub_folder", ("ab",)), b"folder"),
    (lambda c: c.storage(), ("storage", ()), scripted.STORAGE),
    (lambda c: c.collect_garbage().bytes, ("collect_garbage", ()), 5),
    (
        lambda c: c.datasets("acme", "fi", 5, "7", "-rows").data,
        ("datasets", ("acme", "fi", "-rows", 5, "7")),
        [scripted.DATASET],
    ),
    (lambda c: c.dataset("acme", "films"), ("dataset", ("acme", "films")), scripted.DATASET),
    (lambda c: c.remove_dataset("acme", "films"), ("remove_dataset", ("acme", "films")), None),
    (lambda c: c.train(TRAIN).id, ("train", (TRAIN,)), "j1"),
    (lambda c: c.jobs(5, "7", "running").total, ("jobs", ("running", 5, "7")), 1),
    (lambda c: c.job("j1"), ("job", ("j1",)), scripted.JOB),
    (lambda c: c.cancel_job("j1"), ("cancel_job", ("j1",)), scripted.JOB),
    (lambda c: c.models().data[0].id, ("models", ()), "acme/polarity"),
]


def test_every_call_reaches_the_appliance_as_it_was_meant(engine: Running) -> None:
    with engine.client() as client:
        for call, asked, expected in CALLS:
            answer = call(client)
            assert engine.appliance.calls[-1] == asked
            if expected is not None:
                assert answer == expected


def test_the_engine_is_asked_about_itself(engine: Running) -> None:
    with engine.client() as client:
        assert client.livez() is True
        assert client.readyz() == (True, [])
        assert client.version().api == "v1"
        assert "hmi_queue_depth 7.0" in client.metrics()


def test_a_miss_policy_is_given_back_to_the_engine_by_its_name(engine: Running) -> None:
    with engine.client() as client:
        client.change_vplm("acme/polarity", miss="engine")
        assert engine.appliance.calls[-1][1][1].model_fields_set == {"miss"}
        client.change_vplm("acme/polarity", pin=True)
        assert engine.appliance.calls[-1][1][1].model_fields_set == {"pin"}


def test_classify_takes_one_text_or_many(engine: Running) -> None:
    with engine.client() as client:
        one = client.classify("acme/polarity", "a gorgeous movie")
        many = client.classify("acme/polarity", ["good", "bad"], mode="exact")
    assert one.data[0].label == "positive"
    assert many.model == "acme/polarity"
    assert engine.appliance.calls[-1][1][0].input == ["good", "bad"]
    assert engine.appliance.calls[-1][1][0].mode == "exact"
    assert engine.appliance.calls[-1][1][0].explain is False
    with engine.client() as client:
        client.classify("acme/polarity", "good", explain=True)
    assert engine.appliance.calls[-1][1][0].explain is True


async def test_the_awaiting_client_makes_the_same_calls(engine: Running) -> None:
    async with AsyncClient(engine.socket) as client:
        assert await client.livez() is True
        assert (await client.readyz())[0] is True
        assert (await client.status()) == scripted.STATUS
        assert (await client.vplms(tenant="acme")).total == 1
        assert (await client.classify("acme/polarity", ["good"])).labels[0] == "negative"


async def test_a_call_is_a_value_and_a_method_of_both_clients(engine: Running) -> None:
    value = calls.tenant("acme")
    with engine.client() as client:
        answered = client.tenant("acme")
        assert client.rotate_key.__doc__ == calls.rotate_key.__doc__
    async with AsyncClient(engine.socket) as client_that_waits:
        awaited = await client_that_waits.tenant("acme")
    # mypy checks these; at run time they do nothing.
    assert_type(value, Call[Tenant])
    assert_type(answered, Tenant)
    assert_type(awaited, Tenant)
    assert (value.method, value.path) == ("GET", "/v1/tenants/acme")
    assert answered == awaited


async def test_a_client_that_only_reads_sends_nothing_that_changes(engine: Running) -> None:
    sent = len(engine.appliance.calls)
    async with AsyncClient(engine.socket, read_only=True) as client:
        assert (await client.vplms(tenant="acme")).total == 1
        assert (await client.classify("acme/polarity", ["good"])).labels[0] == "negative"
        with pytest.raises(Refused, match="POST /v1/tenants was not sent"):
            await client.create_tenant("acme")
        with pytest.raises(Refused, match="was not sent"):
            await client.change_vplm("acme/polarity", pin=True)
        with pytest.raises(Refused, match="was not sent"):
            await client.stop()
    assert {call[0] for call in engine.appliance.calls[sent:]} == {"vplms", "classify"}


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    blocking = {name: m for name, m in inspect.getmembers(Client) if not name.startswith("_")}
    waiting = {name: m for name, m in inspect.getmembers(AsyncClient) if not name.startswith("_")}
    assert blocking.keys() == waiting.keys()
    for name, method in blocking.items():
        ours, theirs = inspect.signature(method), inspect.signature(waiting[name])
        assert ours.parameters == theirs.parameters, name


@pytest.mark.parametrize("id", ["polarity", "/polarity", "acme/", "a/b/c", ""])
def test_an_id_that_is_not_tenant_and_name_is_refused_before_it_is_sent(
    engine: Running, id: str
) -> None:
    with engine.client() as client, pytest.raises(BadInput, match="tenant/name"):
        client.vplm(id)


def test_names_cannot_reach_into_other_routes(engine: Running) -> None:
    with engine.client() as client:
        client.tenant("a b?c#d")
        assert engine.appliance.calls[-1] == ("tenant", ("a b?c#d",))
        with pytest.raises(BadInput):
            client.remove_tenant("..")


def test_a_request_that_its_schema_refuses_is_a_bad_input_that_names_the_field() -> None:
    with pytest.raises(BadInput, match="labels: label 'a' is given twice") as refused:
        checked(VplmCreate, tenant="acme", name="x", labels=["a", "a"])
    assert refused.value.remedy
    with pytest.raises(BadInput, match="name: 'No Good' is not a valid name"):
        checked(VplmCreate, tenant="acme", name="No Good", labels=["a", "b"])


def test_an_adapter_goes_out_as_a_file_and_comes_in_as_one(engine: Running) -> None:
    with engine.client() as client:
        data = client.adapter_file("ab")
        assert data == engine.appliance.file.read_bytes()
        assert client.import_adapter(data) == scripted.ADAPTER
        assert bytes(engine.appliance.received) == data
        engine.appliance.received.clear()
        client.import_adapter(engine.appliance.file)
        assert bytes(engine.appliance.received) == data
