"""Completions over HTTP: all at once, streamed, refused, and left by whoever asked."""

from __future__ import annotations

import json

import pytest

from engine.client import AsyncClient
from engine.errors import BadInput, QueueFull, Unavailable
from engine.schema import CompletionRequest
from tests.engine.api.running import Running

ASKED = CompletionRequest(model="acme/tale", prompt="Once", max_tokens=3)


def test_a_completion_comes_all_at_once_and_is_asked_for_as_it_was_given(engine: Running) -> None:
    with engine.client() as client:
        answer = client.complete(ASKED)
    assert answer.choices[0].text == " and so on"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 3)
    [(method, (request,))] = engine.appliance.calls[-1:]
    assert (method, request) == ("complete", ASKED)


def test_a_stream_is_server_sent_events_with_done_at_the_end(engine: Running) -> None:
    body = {"model": "acme/tale", "prompt": "Once", "stream": True}
    with engine.http() as http:
        answer = http.post("/v1/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    chunks = [json.loads(each) for each in data[:-1]]
    assert [chunk["choices"][0]["text"] for chunk in chunks] == [" and", " so", " on"]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}


async def test_both_clients_iterate_a_stream(engine: Running) -> None:
    with engine.client() as client:
        told = [chunk.choices[0].text for chunk in client.complete_stream(ASKED)]
    async with AsyncClient(engine.socket) as waiting:
        again = [chunk.choices[0].text async for chunk in waiting.complete_stream(ASKED)]
    assert told == again == [" and", " so", " on"]


def test_what_is_refused_has_a_status_streamed_or_not(engine: Running) -> None:
    full = QueueFull("Much waits.", retry_after=7)
    engine.appliance.fails = {"complete": full, "complete_stream": full}
    with engine.http() as http:
        for stream in (False, True):
            body = {"model": "acme/tale", "prompt": "Once", "stream": stream}
            answer = http.post("/v1/completions", json=body)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
            assert answer.json()["code"] == "queue_full"


def test_a_failure_in_mid_stream_has_the_message_that_openais_clients_show(
    engine: Running,
) -> None:
    engine.appliance.fails = {"stream_end": Unavailable("It stops.", remedy="Wait.", code="gone")}
    body = {"model": "acme/tale", "prompt": "Once", "stream": True}
    with engine.http() as http:
        told = http.post("/v1/completions", json=body).text
    *_, last = [line[6:] for line in told.splitlines() if line.startswith("data: ")]
    error = json.loads(last)["error"]
    assert (error["message"], error["code"]) == ("It stops. Wait.", "gone")


def test_a_failure_in_mid_stream_is_told_and_raised_by_the_client(engine: Running) -> None:
    engine.appliance.fails = {"stream_end": Unavailable("The engine is stopping.", code="gone")}
    with engine.client() as client:
        stream = client.complete_stream(ASKED)
        assert [next(stream).choices[0].text for _ in range(3)] == [" and", " so", " on"]
        with pytest.raises(Unavailable) as caught:
            next(stream)
    assert (caught.value.code, caught.value.detail) == ("gone", "The engine is stopping.")


def test_who_leaves_a_stream_is_noticed_at_once(engine: Running) -> None:
    engine.appliance.hold = True
    with engine.client() as client:
        stream = client.complete_stream(ASKED)
        assert next(stream).choices[0].text == " and"
        assert not engine.appliance.cancelled.is_set()
        stream.close()
        assert engine.appliance.cancelled.wait(10)


def test_values_out_of_range_are_named(engine: Running) -> None:
    with engine.client() as client, pytest.raises(BadInput) as caught:
        client.complete(ASKED.model_copy(update={"temperature": 3.0}))
    assert "temperature" in str(caught.value)
