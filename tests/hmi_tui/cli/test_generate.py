from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

from engine.schema import Completion, CompletionChoice, CompletionChunk
from engine.schema.completions import CompletionTiming, CompletionUsage
from tests.hmi_tui.cli.fake_engine import FakeEngine, Problem

Run = Callable[..., Result]

TIMING = CompletionTiming(
    queue_s=0.0,
    load_s=0.0,
    retrieve_s=0.1,
    compute_s=0.4,
    first_token_s=0.1,
    total_s=0.5,
    hit_rate=None,
    batch_size=1,
    batch_models=1,
    tier="device",
    mode="exact",
    fallback="There is no n-gram encoder.",
)


def chunk(text: str, timing: CompletionTiming | None = None) -> CompletionChunk:
    choices = [] if timing else [CompletionChoice(index=0, text=text)]
    return CompletionChunk(id="c", created=1, model="acme/tale", choices=choices, timing=timing)


def test_the_text_is_printed_as_it_comes_and_the_mode_said_on_stderr(
    engine: FakeEngine, run: Run
) -> None:
    engine.on("POST", "/v1/completions", [chunk(" upon"), chunk(" a time"), chunk("", TIMING)])
    result = run("generate", "acme/tale", "Once", "--seed", "3", "--stop", "a", "--stop", "b")
    assert result.stdout == " upon a time\n"
    assert "exact mode: There is no n-gram encoder." in result.stderr
    asked = engine.asked[-1].json
    assert (asked["model"], asked["prompt"], asked["stream"]) == ("acme/tale", "Once", True)
    assert (asked["seed"], asked["stop"], asked["max_tokens"]) == (3, ["a", "b"], 64)


def test_with_json_the_whole_document_comes_at_once(engine: FakeEngine, run: Run) -> None:
    choice = CompletionChoice(index=0, text=" upon", finish_reason="length")
    usage = CompletionUsage.of(1, 1)
    answer = Completion(id="c", created=1, model="acme/tale", choices=[choice], usage=usage)
    engine.on("POST", "/v1/completions", answer)
    shown = json.loads(run("generate", "acme/tale", "-", "--json", input="Once").stdout)
    assert shown["choices"][0]["text"] == " upon"
    assert engine.asked[-1].json["prompt"] == "Once"
    assert "stream" not in engine.asked[-1].json


def test_a_classifier_is_refused_with_the_engines_words(engine: FakeEngine, run: Run) -> None:
    told = '"acme/p" classifies texts, which is not asked for here.'
    engine.on("POST", "/v1/completions", Problem(422, "wrong_task", told, "Ask it otherwise."))
    result = run("generate", "acme/p", "Once", code=1)
    assert told in result.stderr
    assert "Ask it otherwise." in result.stderr


def test_values_out_of_range_never_reach_the_engine(engine: FakeEngine, run: Run) -> None:
    assert "temperature" in run("generate", "acme/t", "Once", "--temperature", "9", code=2).stderr
    run("generate", "acme/t", "", code=1)
    assert not engine.calls("POST", "/v1/completions")
