from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.schema import RebuildRequest, VplmPatch
from tests.engine.api import scripted
from tests.engine.api.running import Running

VPLM = {"tenant": "acme", "name": "polarity", "labels": ["negative", "positive"]}

# Method, path, body, status, and the method of the appliance that is asked.
ROUTES: list[tuple[str, str, object, int, str]] = [
    ("GET", "/v1/status", None, 200, "status"),
    ("GET", "/v1/trace?seconds=5", None, 200, "trace"),
    ("GET", "/v1/spans?after=5&limit=9", None, 200, "spans"),
    ("GET", "/v1/slots?first=2&limit=9", None, 200, "slots"),
    ("GET", "/v1/slots/3", None, 200, "slot"),
    ("GET", "/v1/tenants?q=a&sort=-name&limit=1000", None, 200, "tenants"),
    ("POST", "/v1/tenants", {"name": "acme"}, 201, "create_tenant"),
    ("GET", "/v1/tenants/acme", None, 200, "tenant"),
    ("PATCH", "/v1/tenants/acme", {"weight": 2}, 200, "change_tenant"),
    ("DELETE", "/v1/tenants/acme", None, 204, "remove_tenant"),
    ("POST", "/v1/tenants/acme/key", None, 200, "rotate_key"),
    ("GET", "/v1/domains", None, 200, "domains"),
    ("POST", "/v1/domains", {"name": "reviews"}, 201, "create_domain"),
    ("GET", "/v1/domains/reviews", None, 200, "domain"),
    ("PATCH", "/v1/domains/reviews", {"parent": "films"}, 200, "change_domain"),
    ("DELETE", "/v1/domains/reviews", None, 204, "remove_domain"),
    ("POST", "/v1/domains/reviews/rebuild", {"alpha": 0.5}, 202, "rebuild_domain"),
    ("POST", "/v1/domains/reviews/rebuild", None, 202, "rebuild_domain"),
    ("GET", "/v1/domains/reviews/ngrams?q=a&limit=5", None, 200, "ngrams"),
    ("POST", "/v1/domains/reviews/rebuild/cost", {"alpha": 0.5}, 200, "rebuild_cost"),
    ("GET", "/v1/domains/reviews/epochs", None, 200, "epochs"),
    ("GET", "/v1/vplms?tenant=acme", None, 200, "vplms"),
    ("POST", "/v1/vplms", VPLM, 201, "create_vplm"),
    ("POST", "/v1/vplms:bulk", {**VPLM, "count": 3}, 201, "create_vplms"),
    ("GET", "/v1/vplms/acme/polarity", None, 200, "vplm"),
    ("PATCH", "/v1/vplms/acme/polarity", {"pin": True}, 200, "change_vplm"),
    ("DELETE", "/v1/vplms/acme/polarity", None, 204, "remove_vplm"),
    ("GET", "/v1/vplms/acme/polarity/versions", None, 200, "versions"),
    ("POST", "/v1/vplms/acme/polarity/versions", {"adapter": "ab"}, 201, "publish_adapter"),
    ("POST", "/v1/vplms/acme/polarity/rollback", {"version": 1}, 200, "roll_back"),
    ("POST", "/v1/vplms/acme/polarity/promote", {"to": "live"}, 200, "promote"),
    ("GET", "/v1/starters?tenant=acme", None, 200, "starters"),
    ("POST", "/v1/starters", {"name": "po", "vplm": "acme/polarity"}, 201, "publish_starter"),
    ("GET", "/v1/starters/po", None, 200, "starter"),
    ("GET", "/v1/starters/acme/po:1", None, 200, "starter"),
    ("DELETE", "/v1/starters/po:1", None, 204, "remove_starter"),
    ("DELETE", "/v1/starters/acme/po", None, 204, "remove_starter"),
    ("GET", "/v1/backbones", None, 200, "backbones"),
    ("POST", "/v1/backbones", {"path": "/x"}, 201, "import_backbone"),
    ("GET", "/v1/backbones/small:1", None, 200, "backbone"),
    ("DELETE", "/v1/backbones/small:1", None, 204, "remove_backbone"),
    ("GET", "/v1/domains/reviews/corpus", None, 200, "corpus"),
    ("GET", "/v1/adapters", None, 200, "adapters"),
    ("GET", "/v1/adapters/ab", None, 200, "adapter"),
    ("GET", "/v1/adapters?unused=true", None, 200, "adapters"),
    ("POST", "/v1/adapters/ab/verify", None, 200, "verify_adapter"),
    ("DELETE", "/v1/adapters/ab", None, 204, "remove_adapter"),
    ("GET", "/v1/tenants/acme/datasets?sort=-rows", None, 200, "datasets"),
    ("GET", "/v1/tenants/acme/datasets/films", None, 200, "dataset"),
    ("DELETE", "/v1/tenants/acme/datasets/films", None, 204, "remove_dataset"),
    ("GET", "/v1/storage", None, 200, "storage"),
    ("POST", "/v1/storage/collect", None, 200, "collect_garbage"),
    ("POST", "/v1/jobs", {"vplm": "acme/polarity", "dataset": "d"}, 202, "train"),
    ("GET", "/v1/jobs?state=running&cursor=3", None, 200, "jobs"),
    ("GET", "/v1/jobs/j1", None, 200, "job"),
    ("DELETE", "/v1/jobs/j1", None, 200, "cancel_job"),
    ("POST", "/v1/classify", {"model": "acme/polarity", "input": "good"}, 200, "classify"),
    ("GET", "/v1/models", None, 200, "models"),
    ("GET", "/v1/models/acme%2Fpolarity", None, 200, "vplm"),
]


def test_every_route_answers_with_its_status_and_asks_the_appliance(engine: Running) -> None:
    with engine.http() as http:
        for method, path, body, status, asked in ROUTES:
            answer = http.request(method, path, json=body)
            assert (answer.status_code, path) == (status, path)
            assert engine.appliance.calls[-1][0] == asked
            if status == 204:
                assert answer.content == b""
            else:
                assert answer.headers["content-type"] == "application/json"


def test_what_a_request_says_reaches_the_appliance(engine: Running) -> None:
    calls: list[Any] = engine.appliance.calls
    with engine.http() as http:
        http.post("/v1/domains/reviews/rebuild")
        assert calls[-1] == ("rebuild_domain", ("reviews", RebuildRequest()))
        http.patch("/v1/vplms/acme/polarity", json={"mode": "exact"})
        assert calls[-1] == ("change_vplm", ("acme/polarity", VplmPatch(mode="exact")))
        http.get("/v1/vplms", params={"q": "po", "sort": "-id", "limit": 3, "cursor": "c"})
        assert calls[-1] == ("vplms", ("po", None, "-id", 3, "c"))
        http.put("/v1/tenants/acme/datasets/d?format=csv&text=t&label=l", content=b"t,l\n")
        assert ("put_dataset", ("acme", "d", "csv", "t", "l")) in calls


def test_the_probes_answer_without_the_appliance(engine: Running) -> None:
    with engine.http() as http:
        assert http.get("/livez").json() == {"live": True}
        assert http.get("/readyz").json() == {"ready": True, "reasons": []}


def test_metrics_hold_the_queue_and_the_tiers(engine: Running) -> None:
    engine.appliance.metrics.observe_request("acme", "ok", 0.1, 2, 20)
    with engine.http() as http:
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "hmi_queue_tokens 70.0" in answer.text
    assert 'hmi_tier_resident{tier="host"} 3.0' in answer.text
    assert 'hmi_requests_total{outcome="ok",tenant="acme"} 1.0' in answer.text


def test_an_adapter_can_be_fetched_as_its_file(engine: Running, tmp_path: Path) -> None:
    engine.appliance.file = tmp_path / "ab.safetensors"
    engine.appliance.file.write_bytes(b"tensors")
    with engine.http() as http:
        answer = http.get("/v1/adapters/ab/file")
    assert answer.content == b"tensors"
    assert "ab.safetensors" in answer.headers["content-disposition"]


def test_every_answer_carries_the_id_of_its_request(engine: Running) -> None:
    with engine.http() as http:
        assert http.get("/livez", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == (
            "abc-1"
        )
        made = http.get("/livez", headers={"X-Request-Id": "no good;"}).headers["x-request-id"]
        again = http.get("/nowhere").headers["x-request-id"]
    assert len(made) == len(again) == 32
    assert made != again


def test_the_description_names_tags_summaries_and_the_problem_document(engine: Running) -> None:
    with engine.http() as http:
        document = http.get("/openapi.json").json()
        assert "HMI" in http.get("/docs").text
    tags = {tag["name"] for tag in document["tags"]}
    ids = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert set(operation["tags"]) <= tags
            assert "default" in operation["responses"]
            ids.add(operation["operationId"])
    assert {"classify", "create_vplms", "put_corpus", "job_events"} <= ids
    assert document["components"]["schemas"]["ProblemDocument"]["properties"]["remedy"]
    paths = document["paths"]
    assert "text/plain" in paths["/v1/domains/{domain}/corpus"]["put"]["requestBody"]["content"]


def test_a_client_that_goes_away_frees_its_place(engine: Running) -> None:
    engine.appliance.hold = True
    body = {"model": "acme/polarity", "input": "good"}
    with engine.http() as http:
        request = http.build_request("POST", "/v1/classify", json=body, timeout=0.2)
        with pytest.raises(Exception, match="timed out"):
            http.send(request)
    assert engine.appliance.holding.is_set()
    assert engine.appliance.cancelled.wait(10)


def test_the_answer_of_classify_has_the_documented_shape(engine: Running) -> None:
    with engine.http() as http:
        answer = http.post("/v1/classify", json={"model": "a/b", "input": ["x"]}).json()
    assert answer["object"] == "list"
    assert answer["data"][0] == {
        "index": 0,
        "label": "positive",
        "probs": [0.25, 0.75],
        "num_classes": 2,
        "truncated": False,
    }
    assert set(answer["timing"]) >= {"queue_s", "retrieve_s", "load_s", "compute_s", "tier"}
    assert scripted.VPLM.id not in answer["id"]


def test_spans_numbers_and_vectors_have_routes_of_their_own(engine: Running) -> None:
    with engine.http() as http:
        spans = http.post("/v1/tag", json={"model": "a/b", "input": "Alice left"}).json()
        pair = {"text": "x", "text_pair": "y"}
        numbers = http.post("/v1/predict", json={"model": "a/b", "input": ["x", pair]}).json()
        vector = http.post("/v1/embeddings", json={"model": "a/b", "input": "x", "user": "u"})
        packed = http.post(
            "/v1/embeddings", json={"model": "a/b", "input": "x", "encoding_format": "base64"}
        ).json()
    span = {"start": 0, "end": 5, "label": "PER", "score": 0.9, "text": "Alice"}
    assert spans["data"] == [{"index": 0, "spans": [span], "truncated": False}]
    assert numbers["data"][0]["values"] == [3.25]
    document = vector.json()
    assert document["object"] == "list"
    assert document["data"][0] == {
        "object": "embedding",
        "index": 0,
        "embedding": [1.0, 0.0],
        "truncated": False,
    }
    assert document["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert packed["data"][0]["embedding"] == "AACAPwAAAAA="


@pytest.mark.parametrize(
    ("path", "input", "told"),
    [
        ("embeddings", [1, 2], "token ids"),
        ("embeddings", [[1, 2]], "token ids"),
        ("tag", {"text": "a", "text_pair": "b"}, "give a text or a list of texts"),
        ("predict", {"text": "a"}, "give a pair of texts as"),
        ("classify", [{"text": "a", "text_pair": " "}], "input[0] is empty"),
    ],
)
def test_input_that_a_route_does_not_take_is_refused_in_words(
    engine: Running, path: str, input: object, told: str
) -> None:
    with engine.http() as http:
        answer = http.post(f"/v1/{path}", json={"model": "a/b", "input": input})
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_datasets_task_and_second_column_reach_the_engine(engine: Running) -> None:
    with engine.http() as http:
        where = "/v1/tenants/acme/datasets/d?task=pair&text_pair=second"
        assert http.put(where, content=b"{}").status_code == 200
    [given] = [given for asked, given in engine.appliance.calls if asked == "put_dataset"]
    assert given[-2:] == ("pair", "second")


def test_a_datasets_labels_reach_the_engine_with_their_new_names(engine: Running) -> None:
    with engine.http() as http:
        where = "/v1/tenants/acme/datasets/d"
        names = json.dumps({"0": "no", "1": "yes"})
        assert http.put(where, params={"map": names}, content=b"{}").status_code == 200
        [given] = [given for asked, given in engine.appliance.calls if asked == "put_dataset"]
        assert given[-2:] == (("0", "no"), ("1", "yes"))
        for wrong in ("0=no", '["0"]', '{"0": 1}'):
            answer = http.put(where, params={"map": wrong}, content=b"{}")
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_map")
