"""A generator learns a tenant's text in the training process, beside classifiers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.config import Settings
from engine.errors import BadInput, Unavailable
from engine.schema import TrainRequest, VplmCreate
from tests.engine.appliance.small import classify, ended, make_tenant, make_vplm, opened
from tests.engine.appliance.test_generators import complete
from tests.engine.appliance.test_training_calls import ROWS, put_dataset

ASKED, SAID = "my order is late", " thanks for the refund"


@pytest.fixture
def engine(settings: Settings, decoder_checkpoint: Path) -> Iterator[Appliance]:
    choice = replace(settings, generator=decoder_checkpoint, kv_cache=1 << 20)
    with opened(choice) as made:
        make_tenant(made)
        made.create_vplm(VplmCreate(tenant="acme", name="tale", kind="generator", rank=16))
        yield made


def put(engine: Appliance, rows: list[dict[str, str]]) -> None:
    body = "\n".join(map(json.dumps, rows)).encode()
    engine.put_dataset("acme", "said", iter([body]), "jsonl", "text", "label", "generate")


def train(engine: Appliance, **choices: Any) -> str:
    plan = {"epochs": 6, "lr": 2e-2, "batch_size": 8} | choices
    return engine.train(TrainRequest(vplm="acme/tale", dataset="said", **plan)).id


PAIRS = [{"prompt": ASKED, "completion": SAID}] * 24 + [{"text": "the bank is back"}] * 24


def test_a_generator_learns_what_to_say_and_is_compared_by_perplexity(engine: Appliance) -> None:
    put(engine, PAIRS)
    receipt = engine.dataset("acme", "said")
    assert (receipt.rows, receipt.labels, receipt.too_long) == (48, {}, 0)
    first = complete(engine, prompt=ASKED, temperature=0).choices[0].text
    job = ended(engine, train(engine, epochs=10))
    assert job.state == "succeeded", job.error
    assert job.measure == "held-out perplexity"
    assert len(job.perplexity) == 10
    assert job.perplexity[-1].value < 0.5 * job.perplexity[0].value
    now = engine.vplm("acme/tale")
    assert now.version == 2
    assert now.perplexity == pytest.approx(job.perplexity[-1].value)
    assert now.perplexity == pytest.approx(job.result["measures"]["perplexity"])
    assert f"perplexity {now.perplexity:.2f}" in job.message
    assert complete(engine, prompt=ASKED, temperature=0).choices[0].text != first
    [newest, oldest] = engine.versions("acme/tale").data
    assert newest.perplexity == now.perplexity
    assert oldest.perplexity is None
    # It goes on from there, and is not published for having become worse.
    worse = ended(engine, train(engine, epochs=1, lr=1.0, seed=1))
    assert worse.state == "failed" or not worse.result["published"]
    assert engine.vplm("acme/tale").version == 2
    if worse.state != "failed":
        assert f"perplexity {1 / worse.result['before']:.2f} of version 2" in worse.message


def test_classifiers_and_generators_are_trained_one_kind_after_the_other(
    engine: Appliance,
) -> None:
    make_vplm(engine, "acme/a")
    put_dataset(engine, ROWS)
    put(engine, PAIRS)
    jobs = [
        train(engine, epochs=1),
        engine.train(TrainRequest(vplm="acme/a", dataset="data", epochs=1)).id,
        train(engine, epochs=1, force=True, seed=2),
    ]
    states = [ended(engine, job) for job in jobs]
    # The third began with an adapter that the first replaced while it waited, or after it.
    assert [job.state for job in states[:2]] == ["succeeded"] * 2, [job.error for job in states]
    assert classify(engine, "acme/a", "a good film").data[0].num_classes == 2


def test_plain_text_is_learnt_by_paragraphs_and_long_ones_in_parts(engine: Appliance) -> None:
    text = "\n\n".join(["the plot was dull\nand it was late", "the bank " * 60, "a film"] * 4)
    engine.put_dataset("acme", "said", iter([text.encode()]), "text", "", "", "generate")
    assert engine.dataset("acme", "said").rows == 12
    job = ended(engine, train(engine, epochs=1))
    assert job.state == "succeeded", job.error
    # More rows than paragraphs: the decoder reads 48 tokens.
    assert job.result["rows"] > 12
    assert job.result["truncated"] == 0


@pytest.mark.parametrize(
    ("rows", "asked", "code"),
    [
        ([{"text": "one"}], {}, "too_few_examples"),
        (PAIRS, {"class_weights": "sqrt"}, None),
        (PAIRS, {"rank": 99}, None),
    ],
)
def test_what_a_generator_cannot_learn_is_refused_or_fails_with_the_reason(
    engine: Appliance, rows: list[dict[str, str]], asked: dict[str, Any], code: str | None
) -> None:
    put(engine, rows)
    if code is None:
        with pytest.raises(BadInput):
            train(engine, **asked)
        return
    job = ended(engine, train(engine, **asked))
    assert job.state == "failed"
    assert "another" in str(job.error)


def test_each_kind_needs_a_dataset_of_its_own_kind(engine: Appliance) -> None:
    make_vplm(engine, "acme/a")
    put(engine, PAIRS)
    with pytest.raises(BadInput) as caught:
        engine.train(TrainRequest(vplm="acme/a", dataset="said"))
    assert caught.value.code == "dataset_task"
    with pytest.raises(BadInput) as caught:
        engine.put_dataset("acme", "x", iter([b"a text"]), "text", "text", "label")
    assert caught.value.code == "unknown_format"
    with pytest.raises(BadInput) as caught:
        engine.put_dataset("acme", "x", iter([b"text,label\n"]), "csv", "", "", "generate")
    assert caught.value.code == "no_text"
    body = b'prompt,completion\nhello,"a, b"\n,c\n'
    engine.put_dataset("acme", "x", iter([body]), "csv", "", "", "generate")
    assert engine.dataset("acme", "x").rows == 2


def test_without_a_decoder_a_generator_waits_for_one(
    settings: Settings, decoder_checkpoint: Path
) -> None:
    with opened(replace(settings, generator=decoder_checkpoint, kv_cache=1 << 20)) as made:
        make_tenant(made)
        made.create_vplm(VplmCreate(tenant="acme", name="tale", kind="generator", rank=4))
        put(made, PAIRS)
    with opened(settings) as made:
        core = made._core
        assert core is not None
        core.generators, gone = None, core.generators
        try:
            with pytest.raises(Unavailable) as caught:
                train(made)
            assert caught.value.code == "no_generator"
        finally:
            core.generators = gone
