"""What OpenAI's clients read, field by field, from an engine on TCP, asked with a tenant's key.

tests/benchmarks/openai_client runs the official client itself, in an environment of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from engine.api.network import networked
from engine.api.server import Process
from engine.api.sockets import bound
from engine.appliance import Appliance
from engine.client import Client
from engine.schema import VplmCreate
from tests.engine.api.running import DEADLINE_S, until
from tests.engine.appliance.small import small_settings

TALE = "acme/tale"
ASKED: dict[str, Any] = {"model": TALE, "prompt": "the film was", "max_tokens": 12, "seed": 4}


@dataclass(frozen=True)
class Tenant:
    http: httpx2.Client
    wrong: httpx2.Client
    """Has a key that opens nothing."""

    def post(self, **asked: Any) -> httpx2.Response:
        return self.http.post("/v1/completions", json={**ASKED, **asked})

    def answer(self, **asked: Any) -> dict[str, Any]:
        answer = self.post(**asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def chunks(self, **asked: Any) -> list[dict[str, Any]]:
        """Of a stream, which must be framed as server-sent events, to the byte."""
        answer = self.post(stream=True, **asked)
        assert answer.headers["content-type"].startswith("text/event-stream")
        *frames, end = answer.text.split("\n\n")
        assert end == "", "every event ends with an empty line"
        events = [frame for frame in frames if not frame.startswith(":")]
        assert all(event.startswith("data: ") and "\n" not in event for event in events)
        assert events.pop() == "data: [DONE]"
        return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.fixture(scope="module")
def tenant(
    checkpoint: Path, decoder_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tenant]:
    home = tmp_path_factory.mktemp("e")
    settings = replace(
        small_settings(home, checkpoint, None), generator=decoder_checkpoint, kv_cache=1 << 20
    )
    with (
        networked("127.0.0.1:0", None, None) as network,
        bound(settings.paths.socket) as listener,
    ):
        assert network is not None
        process = Process(Appliance(settings), settings, network)
        thread = threading.Thread(target=process.run, args=(listener,))
        thread.start()
        try:
            with Client(settings.paths.socket, timeout=DEADLINE_S) as operator:
                until(lambda: operator.livez() and operator.readyz()[0], "readiness")
                until(lambda: process.outside, "listening")
                key = operator.create_tenant("acme").api_key
                operator.create_tenant("globex")
                for owner in ("acme", "globex"):
                    operator.create_vplm(
                        VplmCreate(tenant=owner, name="tale", kind="generator", rank=4)
                    )
                operator.create_vplm(
                    VplmCreate(tenant="acme", name="mood", labels=["no", "yes"], rank=4)
                )
            with _dialled(network.url, key) as http, _dialled(network.url, f"{key}x") as wrong:
                yield Tenant(http, wrong)
        finally:
            process._stop()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def _dialled(url: str, key: str) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx2.Client(base_url=url, headers=headers, timeout=DEADLINE_S)


def test_a_completion_has_openais_fields(tenant: Tenant) -> None:
    found = tenant.answer(n=2)
    assert found["object"] == "text_completion"
    assert found["model"] == TALE
    assert isinstance(found["id"], str)
    assert found["id"].startswith("cmpl-")
    assert type(found["created"]) is int
    assert abs(found["created"] - time.time()) < 600
    for index, choice in enumerate(found["choices"]):
        assert choice.keys() == {"index", "text", "logprobs", "finish_reason"}
        assert (choice["index"], choice["logprobs"]) == (index, None)
        assert choice["finish_reason"] in ("stop", "length")
        assert isinstance(choice["text"], str)
    used = found["usage"]
    assert used.keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]


def test_a_streams_chunks_have_openais_fields_and_join_to_the_whole(tenant: Tenant) -> None:
    asked = {"ignore_eos": True, "temperature": 2.0}
    whole = tenant.answer(**asked)["choices"][0]
    # Tokens of such a text are bytes, and some of them no UTF-8: half a character never shows.
    assert "\ufffd" in whole["text"]
    chunks = tenant.chunks(**asked)
    assert len(chunks) == ASKED["max_tokens"]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["text"]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["length"]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert {chunk["usage"] for chunk in chunks} == {None}


def test_a_last_chunk_without_choices_tells_what_was_used_if_that_is_asked(tenant: Tenant) -> None:
    *parts, last = tenant.chunks(n=3, ignore_eos=True, stream_options={"include_usage": True})
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == len(parts) == 3 * ASKED["max_tokens"]
    assert all(part["usage"] is None and len(part["choices"]) == 1 for part in parts)
    ends = [p["choices"][0]["index"] for p in parts if p["choices"][0]["finish_reason"]]
    assert sorted(ends) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 2])
def test_log_probabilities_are_lists_alike_and_joined_from_the_chunks(
    tenant: Tenant, count: int
) -> None:
    asked = {"logprobs": count, "ignore_eos": True}
    found = tenant.answer(**asked)["choices"][0]["logprobs"]
    assert found.keys() == {"tokens", "token_logprobs", "top_logprobs", "text_offset"}
    assert {len(each) for each in found.values()} == {ASKED["max_tokens"]}
    for token, logprob, top in zip(
        found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True
    ):
        assert top[token] >= logprob
        assert len(top) in (max(1, count), count + 1)
    streamed = [chunk["choices"][0]["logprobs"] for chunk in tenant.chunks(**asked)]
    for name, whole in found.items():
        assert [each for part in streamed for each in part[name]] == whole


def test_a_stop_string_is_not_shown_and_is_the_reason(tenant: Tenant) -> None:
    asked = {"temperature": 0, "ignore_eos": True}
    whole = tenant.answer(**asked)["choices"][0]["text"]
    stop = whole[4:6]
    cut = whole[: whole.index(stop)]
    found = tenant.answer(**asked, stop=stop)["choices"][0]
    assert (found["text"], found["finish_reason"]) == (cut, "stop")
    parts = [chunk["choices"][0] for chunk in tenant.chunks(**asked, stop=[stop])]
    assert "".join(part["text"] for part in parts) == cut
    assert parts[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("asked", "status", "code", "says"),
    [
        ({"model": "globex/tale"}, 404, "not_found", "globex/tale"),
        ({"model": "acme/mood"}, 422, "wrong_task", "/v1/classify"),
        ({"temperature": -1}, 422, "bad_input", "temperature"),
        ({"prompt": "x " * 99}, 422, "context_exceeded", "truncate_prompt_tokens"),
        ({"prompt": ""}, 422, "bad_input", "empty"),
    ],
)
def test_a_refusal_has_a_status_and_says_why_and_what_to_do(
    tenant: Tenant, asked: dict[str, Any], status: int, code: str, says: str, stream: bool
) -> None:
    answer = tenant.post(stream=stream, **asked)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "application/problem+json",
    )
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert says in problem["message"]
    assert problem["message"] == f"{problem['detail']} {problem['remedy']}"


def test_a_key_that_opens_nothing_is_refused_before_anything_is_looked_at(tenant: Tenant) -> None:
    answer = tenant.wrong.post("/v1/completions", json={"nonsense": True})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["message"]


def test_models_are_listed_and_found_by_an_id_with_its_slash_escaped(tenant: Tenant) -> None:
    listed = tenant.http.get("/v1/models").json()
    assert listed["object"] == "list"
    assert {model["id"] for model in listed["data"]} == {TALE, "acme/mood"}
    found = tenant.http.get("/v1/models/acme%2Ftale").json()
    assert found in listed["data"]
    assert found.keys() == {"id", "object", "created", "owned_by"}
    assert (found["object"], found["owned_by"]) == ("model", "acme")
    assert tenant.http.get("/v1/models/globex%2Ftale").status_code == 404
