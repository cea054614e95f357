"""What the client is refused, and what is left of whoever leaves."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.openai_client.world import LONG, TALE, World, complete, openai, refused


def a_wrong_key(world: World) -> None:
    wrong = openai.OpenAI(base_url=world.url, api_key="hmi-0123456789ab-wrong", max_retries=0)
    ask = wrong.completions.create
    refused(openai.AuthenticationError, "unauthorized", lambda: ask(model=TALE, prompt="x"))


def anothers_model_is_not_there(world: World) -> None:
    for model in ("globex/tale", "acme/none"):
        error = refused(openai.NotFoundError, "not_found", partial(complete, world, model=model))
        assert model in str(error)


def a_classifier_asked_to_go_on(world: World) -> None:
    error = refused(
        openai.UnprocessableEntityError, "wrong_task", partial(complete, world, model="acme/mood")
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
        error = refused(
            openai.UnprocessableEntityError, "bad_input", partial(complete, world, **{name: value})
        )
        assert name in str(error), f"{name}: {error}"


def a_prompt_longer_than_the_context(world: World) -> None:
    long = "word " * 2_000
    error = refused(
        openai.UnprocessableEntityError, "context_exceeded", partial(complete, world, prompt=long)
    )
    assert "tokens" in str(error)
    cut = complete(world, prompt=long, extra_body={"truncate_prompt_tokens": -1})
    assert cut.usage.total_tokens > 16


def a_stream_that_is_refused_has_a_status(world: World) -> None:
    refused(
        openai.NotFoundError,
        "not_found",
        partial(complete, world, model="globex/tale", stream=True),
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
