from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import pytest

import store.errors
from engine import errors
from engine.api.problems import as_hmi, response
from engine.errors import HmiError, from_problem
from tests.engine.api.running import Running, running
from tests.engine.api.scripted import ScriptedAppliance

MEDIA_TYPE = "application/problem+json"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.BadInput("d", remedy="r"), 422, "bad_input"),
        (errors.NotFound("d", remedy="r"), 404, "not_found"),
        (errors.Conflict("d", remedy="r"), 409, "conflict"),
        (errors.TooLarge("d", remedy="r"), 413, "too_large"),
        (errors.Refused("d", remedy="r"), 403, "refused"),
        (errors.QueueFull("d", remedy="r"), 429, "queue_full"),
        (errors.Unavailable("d", remedy="r"), 503, "unavailable"),
        (errors.NotLoaded("d", remedy="r"), 503, "backbone_loading"),
        (errors.Damaged("d", remedy="r"), 500, "damaged"),
        (errors.NoSpace("d", remedy="r"), 507, "no_space"),
        (errors.Cancelled("d", remedy="r"), 409, "cancelled"),
        (errors.BadInput("d", remedy="r", code="empty_text"), 422, "empty_text"),
        (store.errors.NotFound("d", remedy="r"), 404, "not_found"),
        (store.errors.Exists("d", remedy="r"), 409, "conflict"),
        (store.errors.InUse("d", remedy="r"), 409, "conflict"),
        (store.errors.BadText("d", remedy="r"), 422, "bad_input"),
        (store.errors.NoSpace("d", remedy="r"), 507, "no_space"),
        (store.errors.Damaged("d", remedy="r"), 500, "damaged"),
        (store.errors.TooNew("d", remedy="r"), 503, "schema_too_new"),
    ],
)
def test_every_error_becomes_a_problem_and_comes_back_as_itself(
    error: Exception, status: int, code: str
) -> None:
    answer = response(error)
    assert (answer.status_code, answer.media_type) == (status, MEDIA_TYPE)
    known = as_hmi(error)
    problem = {"detail": "d", "remedy": "r", "code": code, "title": known.title}
    document = json.loads(bytes(answer.body))
    assert document.items() >= {**problem, "status": status, "type": "about:blank"}.items()
    assert type(from_problem(status, document)) is type(known)


def test_who_waits_for_a_backbone_is_told_when_to_come_again() -> None:
    answer = response(errors.NotLoaded("d", retry_after=2.5))
    assert answer.headers["Retry-After"] == "3"
    again = from_problem(503, json.loads(bytes(answer.body)))
    assert isinstance(again, errors.NotLoaded)
    assert again.retry_after == 2.5


def test_the_line_of_a_refused_text_is_a_field_of_its_problem() -> None:
    document = json.loads(bytes(response(store.errors.BadText("d", line=7)).body))
    assert document["line"] == 7
    error = from_problem(422, document)
    assert isinstance(error, errors.BadInput)
    assert error.line == 7
    assert "line" not in json.loads(bytes(response(errors.BadInput("d")).body))


def test_an_error_of_the_appliance_is_answered_as_a_problem(engine: Running) -> None:
    engine.appliance.fails["vplm"] = store.errors.NotFound(
        'There is no vPLM "acme/x".', remedy="hmi vplm ls lists them."
    )
    with engine.http() as http:
        answer = http.get("/v1/vplms/acme/x")
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": 'There is no vPLM "acme/x".',
        "code": "not_found",
        "remedy": "hmi vplm ls lists them.",
        "message": 'There is no vPLM "acme/x". hmi vplm ls lists them.',
    }


def test_a_quota_says_that_asking_again_is_no_use_and_a_full_queue_does_not() -> None:
    reached = response(errors.QuotaReached("Acme has all that it may have."))
    assert (reached.status_code, reached.headers["x-should-retry"]) == (429, "false")
    assert "x-should-retry" not in response(errors.QueueFull("Full.", retry_after=1)).headers


def test_a_full_queue_says_when_to_come_back(engine: Running) -> None:
    engine.appliance.fails["classify"] = errors.QueueFull("Full.", retry_after=2.25)
    with engine.http() as http:
        answer = http.post("/v1/classify", json={"model": "a/b", "input": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["retry_after"] == 2.25


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({"name": "Acme"}, "name", "'Acme' is not a valid name"),
        ({"name": "acme", "weight": -1}, "weight", "greater than 0"),
        ({"name": "acme", "colour": "red"}, "colour", "no such field"),
        ({}, "name", "required"),
        ({"name": "acme", "quota": {"rps": "many"}}, "quota.rps", "valid number"),
        ([], "", "valid dictionary"),
    ],
)
def test_a_refused_field_is_named(engine: Running, body: object, field: str, message: str) -> None:
    with engine.http() as http:
        answer = http.post("/v1/tenants", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "bad_input")
    assert problem["errors"][0]["field"] == field
    assert message in problem["errors"][0]["message"]
    assert message in problem["detail"]
    assert problem["remedy"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("", "input[0] is empty"),
        (["good", "  "], "input[1] is empty"),
        ([], "empty list"),
        (["x"] * 1025, "1025 texts"),
        (5, "input: give a text or a list of texts."),
        (["x", 5], "input: give a text or a list of texts."),
        (None, "input: give a text or a list of texts."),
        ("\ud800", "half of a surrogate pair"),
        (["x", "\ud800"], "half of a surrogate pair"),
    ],
)
def test_texts_that_cannot_be_classified_are_refused(
    engine: Running, texts: object, message: str
) -> None:
    with engine.http() as http:
        body = json.dumps({"model": "a/b", "input": texts})
        answer = http.post("/v1/classify", content=body, headers=JSON)
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "a"], "'a' is given twice"),
        (["a", " "], "a label is empty"),
        (["a"], "at least two"),
        (["a", "b" * 257], "257 characters"),
        (["a", "b\nc"], "control character"),
        (["a", "\ud800"], "half of a surrogate pair"),
        ([str(i) for i in range(4097)], "4096"),
    ],
)
def test_labels_that_cannot_be_told_apart_or_shown_are_refused(
    engine: Running, labels: list[str], message: str
) -> None:
    with engine.http() as http:
        body = json.dumps({"tenant": "a", "name": "b", "labels": labels})
        answer = http.post("/v1/vplms", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")
    assert message in answer.json()["detail"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "state=done"])
def test_query_parameters_are_checked(engine: Running, query: str) -> None:
    with engine.http() as http:
        answer = http.get(f"/v1/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_input")
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"name": "a"} x', b"[" * 100_000])
def test_a_body_that_is_not_json_is_a_400_or_422(engine: Running, body: bytes) -> None:
    with engine.http() as http:
        answer = http.post(
            "/v1/tenants", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.headers["content-type"] == MEDIA_TYPE
    # Nothing at all is a missing document, not a broken one.
    expected = (422, "bad_input") if not body else (400, "bad_json")
    assert (answer.status_code, answer.json()["code"]) == expected


def test_unknown_routes_and_wrong_methods_are_told_apart(engine: Running) -> None:
    with engine.http() as http:
        for path in ("/nowhere", "/v1/nowhere", "/v1/vplms/acme", "/v1/tenants/"):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route")
        wrong = http.put("/v1/tenants")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "GET" in wrong.headers["allow"]


def test_what_nobody_foresaw_is_logged_with_the_id_and_not_shown(
    engine: Running, caplog: pytest.LogCaptureFixture
) -> None:
    engine.appliance.fails["status"] = RuntimeError("secret inside")
    with caplog.at_level(logging.ERROR, "engine.api"), engine.http() as http:
        answer = http.get("/v1/status", headers={"X-Request-Id": "find-me"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "find-me" in caplog.text
    assert "secret inside" in caplog.text


def test_a_full_disk_is_said_to_be_full(engine: Running) -> None:
    engine.appliance.fails["create_vplm"] = OSError(errno.ENOSPC, "No space left on device")
    body = {"tenant": "a", "name": "b", "labels": ["x", "y"]}
    with engine.http() as http:
        answer = http.post("/v1/vplms", json=body)
    assert (answer.status_code, answer.json()["code"]) == (507, "no_space")


def test_until_the_engine_is_ready_calls_are_put_off_with_the_reasons(tmp_path: Path) -> None:
    with running(tmp_path, ScriptedAppliance(started=False)) as engine, engine.http() as http:
        for method, path in (("GET", "/v1/status"), ("POST", "/v1/classify")):
            answer = http.request(method, path)
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert "loading backbone" in answer.json()["detail"]
        unready = http.get("/readyz")
        assert (unready.status_code, unready.json()["reasons"]) == (503, ["loading backbone"])
        assert http.get("/livez").status_code == 200
        assert http.get("/v1/version").status_code == 200
        assert http.get("/metrics").status_code == 200
        assert http.get("/openapi.json").status_code == 200
        engine.appliance.may_start.set()
        with engine.client() as client:
            while not client.readyz()[0]:
                pass
        assert http.get("/v1/status").status_code == 200


def test_every_kind_of_error_has_a_status_an_exit_code_and_a_code_of_its_own() -> None:
    kinds = HmiError.__subclasses__()
    assert len({kind.default_code for kind in kinds}) == len(kinds)
    assert all(400 <= kind.status < 600 and kind.exit_code > 0 for kind in kinds)
