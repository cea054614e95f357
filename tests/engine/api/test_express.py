from __future__ import annotations

import pytest

from engine import errors
from tests.engine.api.running import Running

GOOD = {"model": "acme/polarity", "input": ["good", "dull"]}
KINDS = ["application/json", "Application/JSON; charset=utf-8"]


def _steady(answer: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in answer.items() if key not in ("id", "created")}


@pytest.mark.parametrize("kind", KINDS)
def test_the_short_way_answers_as_the_long_way_does(engine: Running, kind: str) -> None:
    body = '{"model": "acme/polarity", "input": ["good", "dull"]}'
    with engine.http() as http:
        short = http.post("/v1/classify", content=body, headers={"content-type": kind})
        # A vendor's kind of JSON is routed as any other call.
        other = {"content-type": "application/vnd.api+json"}
        long = http.post("/v1/classify", content=body, headers=other)
    assert short.status_code == long.status_code == 200
    assert short.headers["content-type"] == long.headers["content-type"] == "application/json"
    assert _steady(short.json()) == _steady(long.json())
    assert "x-request-id" in short.headers


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "bad_json"),
        ('{"model": "a/b"}', 422, "bad_input"),
        ('{"model": "a/b", "input": []}', 422, "bad_input"),
        ('{"model": "a/b", "input": "x", "mood": "good"}', 422, "bad_input"),
    ],
)
def test_what_is_not_in_order_is_refused_by_the_long_way(
    engine: Running, body: str, status: int, code: str
) -> None:
    with engine.http() as http:
        answer = http.post(
            "/v1/classify", content=body, headers={"content-type": "application/json"}
        )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["remedy"]


def test_a_failure_on_the_short_way_is_a_problem_document(engine: Running) -> None:
    engine.appliance.fails["classify"] = errors.NotFound("No such vPLM.", remedy="hmi vplm ls")
    with engine.http() as http:
        answer = http.post("/v1/classify", json=GOOD)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"] == "hmi vplm ls"
