"""The official client in an environment of its own: a line of JSON for each thing it tried.

Run by path with that environment's Python, so it imports nothing of this project. The order, a JSON
object on stdin, has the address and the keys.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TALE = "acme/tale"
PROMPT = "Once upon a time"
LONG = {"prompt": PROMPT, "max_tokens": 200, "extra_body": {"ignore_eos": True}}
"""Seconds of work, so that whoever leaves it leaves early."""
FREED_S = 5.0

openai: Any = importlib.import_module("openai")


@dataclass(frozen=True)
class World:
    """Clients with the keys of a tenant, and of the operator."""

    url: str
    acme: Any
    """Checks every whole answer against the client's own types, to the letter."""
    plain: Any
    """As everybody has it: takes what it can read."""
    operator: Any

    def living(self) -> int:
        """Texts that are being generated."""
        return int(self.operator.get("/status", cast_to=object)["generators"]["living"])

    def freed(self) -> float:
        """Seconds until no text lives any more."""
        began = time.monotonic()
        while self.living():
            took = time.monotonic() - began
            assert took < FREED_S, f"a text lives on after {took:.1f} s"
        return time.monotonic() - began


def a_completion(world: World) -> None:
    answer = world.acme.completions.create(model=TALE, prompt=PROMPT, max_tokens=8, temperature=0)
    [choice] = answer.choices
    assert (answer.object, answer.model, choice.index) == ("text_completion", TALE, 0)
    assert abs(answer.created - time.time()) < 60
    assert answer.id.startswith("cmpl-")
    assert choice.finish_reason in ("stop", "length")
    assert choice.text
    used = answer.usage
    assert used.completion_tokens <= 8
    assert used.total_tokens == used.prompt_tokens + used.completion_tokens


def everything_it_can_say_at_once(world: World) -> None:
    answer = world.acme.completions.create(
        model=TALE,
        prompt=[PROMPT, "The King"],
        best_of=2,
        echo=True,
        frequency_penalty=0.5,
        logit_bias={"50": -100},
        logprobs=None,
        max_tokens=6,
        n=2,
        presence_penalty=-0.5,
        seed=7,
        stop=["\n\n\n"],
        suffix=None,
        temperature=0.8,
        top_p=0.9,
        user="somebody",
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    begins = [PROMPT, PROMPT, "The King", "The King"]
    assert all(c.text.startswith(b) for c, b in zip(answer.choices, begins, strict=True))


def prompts_of_token_ids(world: World) -> None:
    answer = world.acme.completions.create(model=TALE, prompt=[[5, 6, 7], [8]], max_tokens=1)
    assert (len(answer.choices), answer.usage.prompt_tokens) == (2, 4)


def log_probabilities(world: World) -> None:
    for count in (0, 3):
        answer = world.acme.completions.create(
            model=TALE, prompt=PROMPT, max_tokens=5, logprobs=count, seed=3, temperature=1.5
        )
        found = answer.choices[0].logprobs
        said = answer.usage.completion_tokens
        lists = (found.tokens, found.token_logprobs, found.top_logprobs, found.text_offset)
        assert [len(each) for each in lists] == [said] * 4
        for token, logprob, top in zip(*lists[:3], strict=True):
            assert top[token] >= logprob
            assert max(1, count) <= len(top) <= count + 1


def a_stream(world: World) -> None:
    asked = {"model": TALE, "prompt": PROMPT, "max_tokens": 20, "seed": 11}
    whole = world.acme.completions.create(**asked).choices[0]
    chunks = list(world.plain.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.text
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + [whole.finish_reason]
    assert {(chunk.object, chunk.model) for chunk in chunks} == {("text_completion", TALE)}
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def a_stream_with_usage_and_several_texts(world: World) -> None:
    chunks = list(
        world.plain.completions.create(
            model=TALE,
            prompt=[PROMPT, "The King"],
            n=2,
            max_tokens=6,
            logprobs=1,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *parts, last = chunks
    assert (last.choices, last.usage.completion_tokens) == ([], len(parts))
    ended = sorted(c.choices[0].index for c in parts if c.choices[0].finish_reason)
    assert ended == [0, 1, 2, 3]
    assert all(len(c.choices[0].logprobs.tokens) == 1 for c in parts)


def stop_strings(world: World) -> None:
    asked = {"model": TALE, "prompt": PROMPT, "max_tokens": 24, "temperature": 0}
    whole = world.acme.completions.create(**asked).choices[0].text
    stop = whole[5:9]
    cut = world.acme.completions.create(**asked, stop=stop).choices[0]
    assert (cut.text, cut.finish_reason) == (whole[: whole.index(stop)], "stop")
    parts = world.plain.completions.create(**asked, stop=[stop, "never"], stream=True)
    assert "".join(chunk.choices[0].text for chunk in parts) == cut.text


def one_seed_one_text(world: World) -> None:
    def text(seed: int) -> str:
        asked = {"model": TALE, "prompt": PROMPT, "max_tokens": 16, "seed": seed}
        return str(world.acme.completions.create(**asked).choices[0].text)

    assert text(1) == text(1) != text(2)


def the_client_that_awaits(world: World) -> None:
    async def asked() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=world.url, api_key=world.acme.api_key) as client:
            given = {"model": TALE, "prompt": PROMPT, "max_tokens": 8, "temperature": 0}
            whole = await client.completions.create(**given)
            parts = await client.completions.create(**given, stream=True)
            return whole.choices[0].text, "".join([c.choices[0].text async for c in parts])

    whole, streamed = asyncio.run(asked())
    assert whole == streamed


def models(world: World) -> None:
    listed = world.acme.models.list()
    assert {model.id for model in listed} == {TALE, "acme/mood", "acme/place"}
    found = world.acme.models.retrieve(TALE)
    assert (found.id, found.object, found.owned_by) == (TALE, "model", "acme")
    refused(openai.NotFoundError, "not_found", lambda: world.acme.models.retrieve("globex/tale"))


def embeddings(world: World) -> None:
    asked = {"model": "acme/place", "input": ["a good film", "a bad one"]}
    # As it asks by default, for base64, which it unpacks only after it has checked types.
    packed = world.plain.embeddings.create(**asked).data
    plain = world.acme.embeddings.create(**asked, encoding_format="float").data
    assert [one.index for one in packed] == [0, 1]
    pairs = zip(packed, plain, strict=True)
    assert all(len(a.embedding) == len(b.embedding) > 100 for a, b in pairs)


def a_wrong_key(world: World) -> None:
    wrong = openai.OpenAI(base_url=world.url, api_key="hmi-0123456789ab-wrong", max_retries=0)
    ask = wrong.completions.create
    refused(openai.AuthenticationError, "unauthorized", lambda: ask(model=TALE, prompt="x"))


def anothers_model_is_not_there(world: World) -> None:
    for model in ("globex/tale", "acme/none"):
        error = refused(openai.NotFoundError, "not_found", lambda m=model: complete(world, model=m))
        assert model in str(error)


def a_classifier_asked_to_go_on(world: World) -> None:
    error = refused(
        openai.UnprocessableEntityError, "wrong_task", lambda: complete(world, model="acme/mood")
    )
    assert "/v1/classify" in str(error)


def values_out_of_range(world: World) -> None:
    for name, value in (
        ("temperature", 2.5),
        ("top_p", 0.0),
        ("n", 17),
        ("max_tokens", 0),
        ("logprobs", 21),
        ("presence_penalty", 3.0),
        ("logit_bias", {"5": 101}),
        ("stop", ""),
        ("prompt", ""),
        ("suffix", "the end"),
        ("best_of", 5),
    ):
        given = {name: value}
        error = refused(
            openai.UnprocessableEntityError, "bad_input", lambda g=given: complete(world, **g)
        )
        assert name.removeprefix("max_") in str(error), f"{name}: {error}"


def a_prompt_longer_than_the_context(world: World) -> None:
    long = "word " * 2_000
    error = refused(
        openai.UnprocessableEntityError, "context_exceeded", lambda: complete(world, prompt=long)
    )
    assert "tokens" in str(error)
    cut = complete(world, prompt=long, extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.total_tokens > 16


def a_stream_that_is_refused_has_a_status(world: World) -> None:
    refused(
        openai.NotFoundError,
        "not_found",
        lambda: complete(world, model="globex/tale", stream=True),
    )


def who_closes_a_stream_frees_its_texts(world: World) -> None:
    stream = world.plain.completions.create(model=TALE, n=8, stream=True, **LONG)
    next(iter(stream))
    assert world.living() == 8
    stream.close()
    world.freed()


def who_will_not_wait_frees_its_texts(world: World) -> None:
    hasty = world.plain.with_options(timeout=0.5, max_retries=0)
    try:
        hasty.completions.create(model=TALE, n=8, **LONG)
    except openai.APITimeoutError:
        world.freed()
    else:
        raise AssertionError("8 texts of 200 tokens came within 0.5 s")


CHECKS: list[Callable[[World], None]] = [
    a_completion,
    everything_it_can_say_at_once,
    prompts_of_token_ids,
    log_probabilities,
    a_stream,
    a_stream_with_usage_and_several_texts,
    stop_strings,
    one_seed_one_text,
    the_client_that_awaits,
    models,
    embeddings,
    a_wrong_key,
    anothers_model_is_not_there,
    a_classifier_asked_to_go_on,
    values_out_of_range,
    a_prompt_longer_than_the_context,
    a_stream_that_is_refused_has_a_status,
    who_closes_a_stream_frees_its_texts,
    who_will_not_wait_frees_its_texts,
]


def complete(world: World, **asked: Any) -> Any:
    return world.plain.completions.create(**{"model": TALE, "prompt": PROMPT, **asked})


def refused(kind: Any, code: str, ask: Callable[[], object]) -> Any:
    """The error, which is of that kind and says why."""
    try:
        ask()
    except kind as error:
        found = error
    else:
        raise AssertionError(f"it was answered and not refused with {kind.__name__}")
    assert found.code == code, f"code {found.code} and not {code}: {found}"
    assert len(str(found)) > len("Error code: 422 - "), "the client does not say why"
    return found


def main() -> None:
    order = json.load(sys.stdin)
    url = order["url"]

    def client(key: str, **more: Any) -> Any:
        return openai.OpenAI(base_url=url, api_key=order[key], max_retries=0, timeout=60.0, **more)

    world = World(
        url,
        client("acme", _strict_response_validation=True),
        client("acme"),
        client("operator"),
    )
    print(json.dumps({"version": openai.__version__}), flush=True)
    for check in CHECKS:
        wrong = None
        try:
            check(world)
        except (openai.OpenAIError, AssertionError, LookupError, AttributeError) as error:
            wrong = f"{type(error).__name__}: {error}"
        what = check.__name__.replace("_", " ")
        print(json.dumps({"what": what, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
