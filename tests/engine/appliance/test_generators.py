"""Generators beside classifiers in one engine: made, asked, streamed, left, refused."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput, HmiError, QueueFull, Unavailable
from engine.schema import Completion, CompletionRequest, VplmBulkCreate, VplmCreate
from engine.serving.generation.order import Way
from tests.engine.appliance.small import classify, core_of, make_tenant, make_vplm, opened, until
from tests.engine.serving.generation.singing import order_of

PROMPT = "the film was"


@pytest.fixture
def both(settings: Settings, decoder_checkpoint: Path) -> Iterator[Appliance]:
    """A started engine with a decoder, and a tenant with a generator and a classifier."""
    choice = replace(settings, generator=decoder_checkpoint, kv_cache=1 << 20)
    with opened(choice) as engine:
        make_tenant(engine)
        engine.create_vplm(VplmCreate(tenant="acme", name="tale", kind="generator", rank=4))
        make_vplm(engine, "acme/a")
        yield engine


def complete(appliance: Appliance, **asked: Any) -> Completion:
    given: dict[str, Any] = {"model": "acme/tale", "prompt": PROMPT, "max_tokens": 6}
    return asyncio.run(appliance.complete(CompletionRequest(**{**given, **asked})))


def check_nothing_lives(appliance: Appliance) -> None:
    generators = core_of(appliance).generators
    assert generators is not None
    use = generators.generator.use()
    assert (use.waiting, use.waiting_tokens) == (0, 0)
    assert generators.stack.tiers.use()["host"].held == 0


def test_a_generator_goes_on_and_says_what_that_took(both: Appliance) -> None:
    made = both.vplm("acme/tale")
    assert (made.kind, made.task, made.labels) == ("generator", "generate", [])
    answer = complete(both, temperature=0, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.choices[0].text == answer.choices[1].text
    assert {choice.finish_reason for choice in answer.choices} <= {"length", "stop"}
    assert answer.usage.completion_tokens <= 12
    assert answer.timing is not None
    # The small decoder has no encoder: it is exact, and says why.
    assert answer.timing.mode == "exact"
    assert answer.timing.fallback is not None
    assert "no n-gram encoder" in answer.timing.fallback
    assert both.vplm("acme/tale").requests == 1
    check_nothing_lives(both)


def test_greedy_is_transformers_greedy_with_an_adapter_that_changes_nothing(
    both: Appliance, decoder_checkpoint: Path
) -> None:
    generators = core_of(both).generators
    assert generators is not None
    transformers: Any = importlib.import_module("transformers")
    model = transformers.GPT2LMHeadModel.from_pretrained(decoder_checkpoint).eval()
    [ids] = generators.decoder.tokenize([PROMPT])
    answer = complete(both, temperature=0, max_tokens=10, logprobs=0, ignore_eos=True)
    # The vPLM's own adapter is at work; the arena's copy of it is made to change nothing.
    adapter = both.vplm("acme/tale").adapter
    slot = next(
        at for at, use in generators.stack.tiers.slots(1, 9).items() if use.adapter == adapter
    )
    generators.stack.tiers.arena.weights.up[:, slot] = 0
    plain = complete(both, temperature=0, max_tokens=10, ignore_eos=True)
    wanted = model.generate(
        torch.tensor([ids]), max_new_tokens=10, min_new_tokens=10, do_sample=False, pad_token_id=0
    )[0, len(ids) :]
    assert plain.choices[0].text == generators.generator.tokens.text(wanted.tolist())
    report = answer.choices[0].logprobs
    assert report is not None
    assert len(report.tokens) == len(report.token_logprobs) == 10


def test_a_stream_joins_to_what_comes_at_once_and_the_seed_decides(both: Appliance) -> None:
    async def streamed(seed: int) -> tuple[str, list[int]]:
        request = CompletionRequest(
            model="acme/tale",
            prompt=PROMPT,
            max_tokens=12,
            seed=seed,
            stream=True,
            stream_options={"include_usage": True},
        )
        text, used = "", []
        async with aclosing(both.complete_stream(request)) as chunks:
            async for chunk in chunks:
                text += "".join(choice.text for choice in chunk.choices)
                used += [] if chunk.usage is None else [chunk.usage.completion_tokens]
        return text, used

    text, used = asyncio.run(streamed(5))
    answer = complete(both, max_tokens=12, seed=5)
    assert answer.choices[0].text == text
    assert used == [answer.usage.completion_tokens]
    assert asyncio.run(streamed(6))[0] != text


def test_who_leaves_in_the_middle_leaves_nothing(both: Appliance) -> None:
    async def leave() -> None:
        request = CompletionRequest(
            model="acme/tale", prompt=PROMPT, max_tokens=30, n=4, ignore_eos=True
        )
        async with aclosing(both.complete_stream(request)) as chunks:
            await anext(chunks)
        task = asyncio.ensure_future(both.complete(request))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    # The next answer comes after the round that lets go of them.
    complete(both, max_tokens=1)
    check_nothing_lives(both)


def test_the_status_and_the_trace_show_what_is_generated(both: Appliance) -> None:
    complete(both, max_tokens=5, ignore_eos=True)
    found = both.status().generators
    assert found is not None
    assert found.fallback is not None
    assert (found.backbone.layers, found.backbone.split) == (4, 2)
    assert (found.living, found.waiting, found.cache_used_bytes) == (0, 0, 0)
    assert found.cache_bytes <= 1 << 20
    assert found.adapters == 1
    assert found.tokens_per_s > 0
    rounds = [span for span in both.spans(None, 99).data if span.lane == "generate"]
    assert rounds[0].name.startswith("prefill ")
    assert [span.name for span in rounds[1:]] == ["decode 1"] * 4
    assert all(span.models == 1 and span.seconds > 0 for span in rounds)


def test_an_engine_that_generates_is_not_idle(both: Appliance) -> None:
    core, go_on = core_of(both), threading.Event()
    assert core.generators is not None
    assert (core.idleness.busy(), core.idleness.idle()) == (False, True)

    def when_told() -> Way:
        assert go_on.wait(10.0)
        return Way(None)

    order, ear = order_of(core.generators.decoder, [1, 2], 2, way=when_told)
    core.generators.generator.offer([order])
    assert (core.idleness.busy(), core.idleness.idle()) == (True, False)
    go_on.set()
    until(lambda: ear.over and not core.idleness.busy(), "the end of the text")
    assert core.idleness.idle()


def test_what_finds_no_room_waits_and_beyond_that_is_told_when_to_come_again(
    settings: Settings, decoder_checkpoint: Path
) -> None:
    # 16 pages: one text of 44 tokens in 4 layers takes 12. Three of them may wait.
    choice = replace(settings, generator=decoder_checkpoint, kv_cache=1 << 16, queue_tokens=140)
    go_on = threading.Event()

    def when_told() -> Way:
        assert go_on.wait(10.0)
        return Way(None)

    async def asked(appliance: Appliance) -> list[Completion | BaseException]:
        request = CompletionRequest(
            model="acme/tale", prompt=[1] * 20, max_tokens=24, ignore_eos=True, mode="exact"
        )
        tasks = [asyncio.ensure_future(appliance.complete(request)) for _ in range(4)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1, "one is refused while the first is held up"
        go_on.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with opened(choice) as engine:
        make_tenant(engine)
        engine.create_vplm(VplmCreate(tenant="acme", name="tale", kind="generator", rank=4))
        stack = core_of(engine).generators
        assert stack is not None
        held, ear = order_of(stack.decoder, [1, 2], 2, way=when_told)
        stack.generator.offer([held])
        found = asyncio.run(asked(engine))
        check_nothing_lives(engine)
    refused = [one for one in found if isinstance(one, QueueFull)]
    whole = [one for one in found if isinstance(one, Completion)]
    assert ear.finish == "length"
    assert (len(refused), len(whole)) == (1, 3)
    assert refused[0].retry_after > 0
    # Whoever waited got all that was asked for.
    assert {one.usage.completion_tokens for one in whole} == {24}
    assert {one.choices[0].finish_reason for one in whole} == {"length"}


def test_each_is_refused_the_others_question_with_the_right_route(both: Appliance) -> None:
    with pytest.raises(BadInput) as caught:
        classify(both, "acme/tale", "a good film")
    assert "/v1/completions" in caught.value.remedy
    with pytest.raises(BadInput) as caught:
        complete(both, model="acme/a")
    assert "/v1/classify" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"prompt": [9999]}, "unknown_token"),
        ({"max_tokens": 48}, "context_exceeded"),
        ({"prompt": "x " * 60}, "context_exceeded"),
        ({"logit_bias": {5000: 1.0}}, "unknown_token"),
        ({"echo": True, "logprobs": 1}, "not_supported"),
    ],
)
def test_what_this_model_cannot_do_is_refused(
    both: Appliance, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as caught:
        complete(both, **asked)
    assert caught.value.code == code
    check_nothing_lives(both)


def test_what_is_echoed_or_cut_is_the_prompt(both: Appliance) -> None:
    plain = complete(both, temperature=0)
    assert complete(both, temperature=0, echo=True).choices[0].text == (
        PROMPT + plain.choices[0].text
    )
    cut = complete(both, temperature=0, prompt="x " * 60 + PROMPT, truncate_prompt_tokens=3)
    assert cut.usage.prompt_tokens == 3


def test_generators_outlive_the_engine_and_need_a_decoder(
    settings: Settings, decoder_checkpoint: Path
) -> None:
    choice = replace(settings, generator=decoder_checkpoint, kv_cache=1 << 20)
    with opened(choice) as engine:
        make_tenant(engine)
        many = VplmBulkCreate(tenant="acme", name="g", kind="generator", count=3, rank=4)
        engine.create_vplms(many)
        before = complete(engine, model="acme/g-00002", temperature=0).choices[0].text
    with opened(choice) as engine:
        again = complete(engine, model="acme/g-00002", temperature=0)
        assert again.choices[0].text == before
        engine.remove_vplm("acme/g-00001")
        with pytest.raises(HmiError):
            complete(engine, model="acme/g-00001")
    with opened(settings) as engine:
        if core_of(engine).generators is None:
            for call in (
                lambda: complete(engine, model="acme/g-00002"),
                lambda: engine.create_vplm(VplmCreate(tenant="acme", name="h", kind="generator")),
            ):
                with pytest.raises(Unavailable) as caught:
                    call()
                assert caught.value.code == "no_generator"
        assert [one.kind for one in engine.vplms("", None, None, 9, None).data] == ["generator"] * 2
