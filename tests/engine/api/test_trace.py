from __future__ import annotations

import pytest

from engine.api.routes.trace import PIECE
from engine.errors import BadInput
from tests.engine.api.running import Running


def test_a_long_trace_arrives_whole(engine: Running) -> None:
    engine.appliance.trace_events = 3 * PIECE + 1
    with engine.client() as client:
        assert len(client.trace().events) == 3 * PIECE + 1


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "4000"])
def test_no_time_or_too_much_is_refused(engine: Running, seconds: str) -> None:
    with engine.http() as http:
        answer = http.get("/v1/trace", params={"seconds": seconds})
    assert answer.status_code in (400, 422)
    assert "seconds" in answer.text


def test_the_client_is_told_so_in_words(engine: Running) -> None:
    with engine.client() as client, pytest.raises(BadInput, match="seconds"):
        client.trace(0)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/spans", {"after": "-1"}),
        ("/v1/spans", {"limit": "0"}),
        ("/v1/spans", {"limit": "4097"}),
        ("/v1/slots", {"first": "0"}),
        ("/v1/slots", {"limit": "4097"}),
    ],
)
def test_more_than_a_glance_is_refused(engine: Running, path: str, wrong: dict[str, str]) -> None:
    with engine.http() as http:
        answer = http.get(path, params=wrong)
    assert answer.status_code in (400, 422)
    assert next(iter(wrong)) in answer.text


def test_what_does_not_apply_to_a_span_is_not_sent(engine: Running) -> None:
    with engine.http() as http:
        (span,) = http.get("/v1/spans").json()["data"]
    assert "bytes" not in span
    assert span["batch"] == 1
