from __future__ import annotations

import os
from collections.abc import Iterator

import httpx2
import pytest

from engine import errors
from engine.client import Client
from engine.schema import AuditEntry
from tests.engine.api.running import DEADLINE_S, Running, running
from tests.engine.api.scripted import ScriptedAppliance


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("e"), ScriptedAppliance(), listen="127.0.0.1:0") as engine:
        yield engine


def _entries(engine: Running) -> list[AuditEntry]:
    with engine.client() as client:
        return client.audit().data


def test_a_change_over_the_socket_is_written_down_with_the_process_that_made_it(
    outside: Running,
) -> None:
    with outside.http() as http:
        answer = http.patch("/v1/tenants/acme", json={"weight": 2})
    (entry,) = _entries(outside)
    assert entry.request == answer.headers["x-request-id"]
    assert entry.peer == f"uid {os.getuid()} pid {os.getpid()}"
    assert (entry.id, entry.caller, entry.key) == (1, "operator", "")
    assert (entry.action, entry.method, entry.path) == ("change_tenant", "PATCH", answer.url.path)
    assert (entry.asked, entry.status) == ('{"weight":2}', 200)


def test_a_change_over_the_network_is_written_down_with_key_and_address(outside: Running) -> None:
    with Client(url=outside.url, key="hmi-acme", timeout=DEADLINE_S) as client:
        client.change_vplm("acme/polarity", mode="exact")
    (entry,) = _entries(outside)
    assert (entry.caller, entry.key, entry.action) == ("acme", "hmi-acme", "change_vplm")
    assert entry.peer.startswith("127.0.0.1:")


def test_what_was_refused_or_failed_is_written_down_too(outside: Running) -> None:
    headers = {"Authorization": "Bearer hmi-acme-infer"}
    with httpx2.Client(base_url=outside.url, headers=headers) as http:
        assert http.delete("/v1/tenants/acme").status_code == 404
        assert http.delete("/v1/vplms/acme/polarity").status_code == 403
    outside.appliance.fails["remove_tenant"] = errors.NotFound("No.")
    outside.appliance.fails["remove_domain"] = RuntimeError("unforeseen")
    with outside.http() as http:
        assert http.delete("/v1/tenants/nobody").status_code == 404
        assert http.delete("/v1/domains/reviews").status_code == 500
    told = [(entry.action, entry.status) for entry in reversed(_entries(outside))]
    assert told == [
        ("remove_tenant", 404),
        ("remove_vplm", 403),
        ("remove_tenant", 404),
        ("remove_domain", 500),
    ]


def test_reading_and_asking_leave_no_entry_and_neither_do_strangers(outside: Running) -> None:
    with outside.client() as client:
        client.status()
        client.classify("acme/polarity", "good")
        client.tag("acme/polarity", "good")
    assert httpx2.post(f"{outside.url}/v1/tenants", json={"name": "x"}).status_code == 401
    assert _entries(outside) == []


def test_an_entry_can_steer_no_terminal_and_is_bounded(outside: Running) -> None:
    with outside.http() as http:
        http.delete("/v1/tenants/%1b%5b2J" + "x" * 5000)
        http.post("/v1/tenants", json={"name": "x" * 5000})
        http.put("/v1/domains/reviews/corpus", content=b"a text of somebody's\n")
    corpus, named, pathed = _entries(outside)
    assert "\x1b" not in pathed.path
    assert len(pathed.path) == len(named.asked) == 2048
    assert corpus.asked == ""


def test_a_tenant_that_calls_too_often_is_refused_before_it_is_answered(outside: Running) -> None:
    limit = errors.QuotaExceeded("Too often.", retry_after=2.0, code="quota_rps")
    outside.appliance.fails["count_call"] = limit
    headers = {"Authorization": "Bearer hmi-acme"}
    with httpx2.Client(base_url=outside.url, headers=headers) as http:
        answer = http.get("/v1/vplms")
        assert (answer.status_code, answer.json()["code"]) == (429, "quota_rps")
        assert answer.headers["retry-after"] == "2"
        # What asks a vPLM is counted where it is answered.
        body = {"model": "acme/polarity", "input": "good"}
        assert http.post("/v1/classify", json=body).status_code == 200
    assert outside.appliance.counted == ["acme"]
    assert [name for name, _ in outside.appliance.calls] == ["start", "classify"]
