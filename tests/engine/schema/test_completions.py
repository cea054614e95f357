from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import BadInput
from engine.schema.completions import (
    STREAM_END,
    CompletionChoice,
    CompletionChunk,
    CompletionRequest,
    CompletionUsage,
)
from engine.validation import checked


def asked(**fields: Any) -> CompletionRequest:
    return checked(CompletionRequest, **{"model": "acme/writer", "prompt": "Once", **fields})


def refused(**fields: Any) -> str:
    with pytest.raises(BadInput) as error:
        asked(**fields)
    return error.value.detail


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("Once", ["Once"]),
        (" ", [" "]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_a_prompt_is_text_or_tokens_one_or_several(prompt: Any, prompts: Any) -> None:
    assert asked(prompt=prompt).prompts == prompts


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("", r"prompt[0] is empty"),
        (["a", ""], r"prompt[1] is empty"),
        ([[1], []], r"prompt[1] is empty"),
        ([], "empty list"),
        (["a"] * 65, "65 prompts; at most 64"),
        ([-1, 3], r"prompt[0] has token -1"),
        (7, "give a text, a list of texts"),
        (["a", 1], "give a text, a list of texts"),
        ([1, [2]], "give a text, a list of texts"),
        ([True], "give a text, a list of texts"),
        ([1.5], "give a text, a list of texts"),
        ("\ud83d", "half of a surrogate pair"),
    ],
)
def test_what_is_no_prompt_is_said_once(prompt: Any, said: str) -> None:
    detail = refused(prompt=prompt)
    assert said in detail
    assert detail.count("prompt: ") == 1


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("max_tokens", (0, -5)),
        ("temperature", (-0.1, 2.1)),
        ("top_p", (0, 1.1)),
        ("top_k", (-2,)),
        ("min_p", (-0.1, 1.1)),
        ("repetition_penalty", (0, 11)),
        ("frequency_penalty", (-2.1, 2.1)),
        ("presence_penalty", (-2.1, 2.1)),
        ("n", (0, 17)),
        ("seed", (2**63,)),
        ("logprobs", (-1, 21)),
        ("truncate_prompt_tokens", (0, -2)),
        ("stop", ("", ["a", ""], [1], ["a"] * 17, "a" * 257)),
        ("logit_bias", ({"5": 101}, {"five": 1}, {str(i): 1 for i in range(1025)})),
    ],
)
def test_values_out_of_range_are_refused_by_name(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        assert refused(**{field: value}).startswith(field)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"suffix": "end"}, "suffix is not supported"),
        ({"best_of": 3}, "best_of other than n"),
        ({"stream_options": {"include_usage": True}}, "needs stream"),
        ({"prompt": ["a"] * 64, "n": 3}, "192 continuations (64 prompts, n 3); at most 128"),
        ({"temprature": 1}, "there is no such field"),
    ],
)
def test_what_is_not_done_is_refused_and_never_ignored(fields: Any, said: str) -> None:
    assert said in refused(**fields)


def test_best_of_as_many_as_are_asked_for_is_what_is_done_anyway() -> None:
    assert asked(best_of=2, n=2).n == 2


def test_a_request_as_the_official_client_writes_it_is_understood() -> None:
    body = {
        "model": "acme/writer",
        "prompt": "Once upon",
        "max_tokens": 32,
        "temperature": 0.7,
        "logit_bias": {"50256": -100},
        "stop": ["\n"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "somebody",
    }
    request = CompletionRequest.model_validate_json(json.dumps(body))
    assert request.stops == ("\n",)
    assert request.logit_bias == {50256: -100.0}
    assert request.stream_options is not None
    assert request.stream_options.include_usage


def test_what_is_null_is_as_if_it_had_been_left_out() -> None:
    optional = set(CompletionRequest.model_fields) - {"model", "prompt"}
    assert asked(**dict.fromkeys(optional)) == asked()
    assert "prompt: field required" in refused(prompt=None)
    assert "there is no such field" in refused(temprature=0.0)


@pytest.mark.parametrize(("stop", "stops"), [(None, ()), ("a", ("a",)), (["a", "b"], ("a", "b"))])
def test_stops_are_a_row_of_texts(stop: Any, stops: tuple[str, ...]) -> None:
    assert asked(stop=stop).stops == stops


def test_a_chunk_is_one_event_that_reads_back() -> None:
    choice = CompletionChoice(index=1, text="a\nb")
    chunk = CompletionChunk(id="cmpl-1", created=7, model="acme/writer", choices=[choice])
    event = chunk.event()
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    assert event.count("\n") == 2
    assert CompletionChunk.model_validate_json(event[len("data: ") :]) == chunk
    assert STREAM_END == "data: [DONE]\n\n"


def test_usage_adds_up() -> None:
    assert CompletionUsage.of(3, 4).total_tokens == 7
