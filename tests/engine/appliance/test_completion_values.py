from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.appliance.completions import TokenReport, fit_prompt, settings_of
from engine.errors import BadInput
from engine.schema.completions import CompletionRequest
from engine.serving.generation.continuation import Ending
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.sampling import Drawn
from engine.serving.generation.settings import SamplingSettings


def test_a_request_that_says_nothing_draws_from_the_model_itself() -> None:
    request = CompletionRequest(model="a/b", prompt="x")
    assert settings_of(request, 5, 0) == SamplingSettings(5)


def test_every_value_arrives_where_it_belongs() -> None:
    request = CompletionRequest(
        model="a/b",
        prompt="x",
        temperature=0.5,
        top_k=-1,
        top_p=0.9,
        min_p=0.1,
        repetition_penalty=1.2,
        frequency_penalty=0.3,
        presence_penalty=0.4,
        logit_bias={9: 1.0, 3: -2.0},
        logprobs=2,
    )
    assert settings_of(request, 5, 0) == SamplingSettings(
        5, 0.5, 0, 0.9, 0.1, 1.2, 0.3, 0.4, ((3, -2.0), (9, 1.0)), 2
    )


stops = st.text(st.characters(codec="utf-8"), min_size=1, max_size=256)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.floats(0, 2),
            "top_k": st.integers(-1, 10**6),
            "top_p": st.floats(0, 1, exclude_min=True),
            "min_p": st.floats(0, 1),
            "repetition_penalty": st.floats(0.01, 10),
            "frequency_penalty": st.floats(-2, 2),
            "presence_penalty": st.floats(-2, 2),
            "logit_bias": st.dictionaries(st.integers(0, 10**6), st.floats(-100, 100), max_size=9),
            "seed": st.integers(-(2**63), 2**63 - 1),
            "logprobs": st.integers(0, 20),
            "max_tokens": st.integers(1, 10**6),
            "stop": st.lists(
                st.text(st.characters(codec="utf-8"), min_size=1, max_size=256), max_size=16
            ),
        },
    )
)
def test_the_engine_refuses_nothing_that_a_request_may_say(fields: dict[str, Any]) -> None:
    request = CompletionRequest(model="a/b", prompt="x", **fields)
    settings_of(request, 5 if request.seed is None else request.seed, 3)
    Ending(request.max_tokens, 10, request.stops)


def test_several_continuations_have_seeds_of_their_own_and_the_first_has_the_requests() -> None:
    request = CompletionRequest(model="a/b", prompt="x", n=16)
    seeds = [settings_of(request, 5, index).seed for index in range(16)]
    assert seeds[0] == 5
    assert len(set(seeds)) == 16


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.integers(1, 30),
    st.integers(1, 30),
    st.none() | st.just(-1) | st.integers(1, 30),
)
def test_a_prompt_leaves_room_or_is_refused(
    ids: list[int], context: int, most: int, keep: int | None
) -> None:
    wanted = ids if keep is None else ids[-keep:] if keep > 0 else ids[-max(1, context - most) :]
    if len(wanted) + most <= context:
        assert fit_prompt(ids, context, most, keep) == wanted
        return
    with pytest.raises(BadInput, match=f" {context} tokens") as error:
        fit_prompt(ids, context, most, keep)
    assert error.value.code == "context_exceeded"
    assert error.value.remedy


def test_a_prompt_that_may_be_cut_keeps_its_end() -> None:
    assert fit_prompt([1, 2, 3, 4, 5], 4, 2, -1) == [4, 5]
    with pytest.raises(BadInput, match=r"The prompt has 5 tokens and max_tokens is 2; .* 4 tokens"):
        fit_prompt([1, 2, 3, 4, 5], 4, 2)


TOKENS = TokenBytes((b"a", b"bc", b"\xc3", b"\xa9", b"a"))


def test_tokens_are_reported_as_openai_writes_them() -> None:
    drawn = [
        Drawn(1, -0.5, ((1, -0.5), (0, -2.0), (4, -3.0))),
        Drawn(2, -1.0),
        Drawn(3, -1.5),
        Drawn(0, -2.0),
    ]
    found = TokenReport(TOKENS).of(drawn)
    assert found.tokens == ["bc", "bytes:\\xc3", "bytes:\\xa9", "a"]
    assert found.token_logprobs == [-0.5, -1.0, -1.5, -2.0]
    assert found.text_offset == [0, 2, 2, 3]
    assert found.top_logprobs == [
        {"bc": -0.5, "a": -2.0},
        {"bytes:\\xc3": -1.0},
        {"bytes:\\xa9": -1.5},
        {"a": -2.0},
    ]


def test_the_drawn_token_is_among_the_likeliest_that_are_reported() -> None:
    unlikely = Drawn(0, -4.0, ((1, -0.5), (3, -1.0)))
    found = TokenReport(TOKENS).of([unlikely])
    assert found.top_logprobs == [{"bc": -0.5, "bytes:\\xa9": -1.0, "a": -4.0}]
    likely = Drawn(1, -0.5, ((1, -0.5), (3, -1.0)))
    assert TokenReport(TOKENS).of([likely]).top_logprobs == [{"bc": -0.5, "bytes:\\xa9": -1.0}]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_chunks_of_a_report_join_to_the_whole(ids: list[int], cuts: list[int]) -> None:
    drawn = [Drawn(token, -1.0) for token in ids]
    whole, report = TokenReport(TOKENS).of(drawn), TokenReport(TOKENS)
    places = [0, *sorted(min(cut, len(ids)) for cut in cuts), len(ids)]
    parts = [report.of(drawn[a:b]) for a, b in pairwise(places)]
    assert [offset for part in parts for offset in part.text_offset] == whole.text_offset
    assert [token for part in parts for token in part.tokens] == whole.tokens
