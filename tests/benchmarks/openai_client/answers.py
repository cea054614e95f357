"""What the client is answered: whole, streamed, and beside completions."""

from __future__ import annotations

import asyncio
import time

from tests.benchmarks.openai_client.world import PROMPT, TALE, World, openai, refused


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


def nothing_but_none(world: World) -> None:
    names = ("best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n")
    more = ("presence_penalty", "seed", "stop", "stream_options", "suffix", "temperature", "top_p")
    asked = dict.fromkeys((*names, *more))
    answer = world.acme.completions.create(model=TALE, prompt=PROMPT, **asked)
    assert len(answer.choices) == 1
    assert answer.usage.completion_tokens <= 16


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
