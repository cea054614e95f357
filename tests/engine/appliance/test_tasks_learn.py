"""Each kind of task is learnt by the backbone that ships: from upload to answer."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.appliance import Appliance
from engine.config import Paths, Settings
from engine.schema import (
    ClassifyRequest,
    Job,
    PredictRequest,
    TagRequest,
    TextPair,
    TrainRequest,
)
from engine.training.worker import process
from tests.engine.appliance.small import ended, make_tenant, make_vplm, opened
from tests.engine.forked import launch

THINGS = ("parcel", "invoice", "ticket", "refund", "letter")
GOOD, BAD = ("wonderful", "excellent", "lovely"), ("terrible", "awful", "horrible")
PEOPLE = ("Alice", "Robert", "Maria", "Thomas", "Susan", "David")
PLACES = ("Paris", "London", "Berlin", "Madrid", "Rome", "Vienna")

_PATIENCE_S = 100.0
"""Each takes a second or two where nobody else wants the cores."""

Row = dict[str, Any]


def label_row(rng: random.Random) -> Row:
    kind, words = rng.choice((("good", GOOD), ("bad", BAD)))
    return {"text": f"the {rng.choice(THINGS)} was {rng.choice(words)}", "label": kind}


def several_row(rng: random.Random) -> Row:
    labels = [name for name in ("money", "travel", "weather") if rng.random() < 0.4]
    words = {"money": "my bank account", "travel": "the train journey", "weather": "the rain"}
    said = " and ".join(words[name] for name in labels) or "nothing of note"
    return {"text": f"{rng.choice(PEOPLE)} wrote about {said}", "label": labels}


def pair_row(rng: random.Random) -> Row:
    first, second = rng.sample(THINGS, 2)
    same = rng.random() < 0.5
    other = first if same else second
    return {
        "text": f"{rng.choice(PEOPLE)} asked about the {first}",
        "text_pair": f"a question about the {other}",
        "label": "same" if same else "other",
    }


def span_row(rng: random.Random) -> Row:
    person, place, thing = rng.choice(PEOPLE), rng.choice(PLACES), rng.choice(THINGS)
    words = [person, *rng.choice(("went to", "lives in", "flew to")).split(), place]
    tags = ["B-person", "O", "O", "B-place"]
    if rng.random() < 0.5:
        words += ["with", "the", thing]
        tags += ["O"] * 3
    return {"text": words, "label": tags}


def number_row(rng: random.Random) -> Row:
    words, base = rng.choice(((GOOD, 9000.0), (BAD, 1000.0), (("ordinary", "usual"), 5000.0)))
    return {
        "text": f"the {rng.choice(THINGS)} was {rng.choice(words)}",
        "label": base + rng.uniform(-300, 300),
    }


MAKERS: dict[str, tuple[Callable[[random.Random], Row], tuple[str, ...]]] = {
    "classify": (label_row, ("good", "bad")),
    "multilabel": (several_row, ("money", "travel", "weather")),
    "pair": (pair_row, ("same", "other")),
    "tokens": (span_row, ("O", "B-person", "I-person", "B-place", "I-place")),
    "regression": (number_row, ("price",)),
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, fork_server: None) -> Iterator[Appliance]:
    paths = Paths.find(Path(tmp_path_factory.mktemp("home")))
    settings = Settings(paths=paths, device="cpu", threads=1, device_cache=64 << 20)
    # It lives longer than a test, and so do the processes that it trains in.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "launch", launch)
        with opened(settings) as made:
            make_tenant(made)
            yield made


def trained(engine: Appliance, task: Any, rows: int, **choices: Any) -> tuple[Job, list[Row]]:
    """A vPLM acme/TASK in exact mode, trained; exact so that no encoder need be installed."""
    make, labels = MAKERS[task]
    rng = random.Random(task)
    data = [make(rng) for _ in range(rows)]
    make_vplm(engine, f"acme/{task}", labels, task=task, mode="exact", rank=16)
    body = "\n".join(map(json.dumps, data)).encode()
    engine.put_dataset("acme", task, iter([body]), "jsonl", "text", "label", task)
    plan = {"epochs": 4, "lr": 3e-3, "batch_size": 16} | choices
    accepted = engine.train(TrainRequest(vplm=f"acme/{task}", dataset=task, **plan))
    job = ended(engine, accepted.id, _PATIENCE_S)
    assert job.state == "succeeded", job.error
    assert engine.vplm(f"acme/{task}").accuracy == job.result["accuracy"]
    return job, data


def commonest(labels: list[str]) -> float:
    return max(Counter(labels).values()) / len(labels)


def test_one_label_for_a_text(engine: Appliance) -> None:
    job, data = trained(engine, "classify", 96)
    assert job.measure == "held-out accuracy"
    assert job.result["accuracy"] > commonest([row["label"] for row in data]) + 0.2


def test_several_labels_for_a_text(engine: Appliance) -> None:
    job, data = trained(engine, "multilabel", 128)
    assert job.measure == "held-out micro F1"
    # Always answering all three labels, or the commonest one, is the best that guessing can do.
    rate = sum(len(row["label"]) for row in data) / (3 * len(data))
    assert job.result["measures"]["micro_f1"] == job.result["accuracy"] > 2 * rate / (1 + rate)
    assert 0 < job.result["measures"]["macro_f1"] <= 1
    text = "Maria wrote about the train journey and the rain"
    asked = ClassifyRequest(model="acme/multilabel", input=text)
    (found,) = asyncio.run(engine.classify(asked)).data
    assert set(found.labels or ()) == {"travel", "weather"}


def test_a_label_for_two_texts(engine: Appliance) -> None:
    job, data = trained(engine, "pair", 160, epochs=5)
    assert job.result["accuracy"] > commonest([row["label"] for row in data]) + 0.1
    pairs = [
        TextPair(text="Alice asked about the refund", text_pair=f"a question about the {thing}")
        for thing in ("refund", "letter")
    ]
    asked = ClassifyRequest(model="acme/pair", input=list(pairs))
    answers = asyncio.run(engine.classify(asked)).data
    assert [found.label for found in answers] == ["same", "other"]


def test_spans_of_a_text(engine: Appliance) -> None:
    job, _ = trained(engine, "tokens", 96)
    assert job.measure == "held-out span F1"
    # Whoever always answers the commonest label, O, finds no span at all.
    assert job.result["accuracy"] > 0.6
    assert job.result["measures"]["word_accuracy"] > 0.8
    text = "Susan flew to Vienna with the letter"
    (found,) = asyncio.run(engine.tag(TagRequest(model="acme/tokens", input=text))).data
    assert [(s.label, s.text) for s in found.spans] == [("person", "Susan"), ("place", "Vienna")]
    assert [(s.start, s.end) for s in found.spans] == [(0, 5), (14, 20)]
    assert all(0.3 < s.score <= 1 for s in found.spans)


def test_a_number_for_a_text_in_its_own_units(engine: Appliance) -> None:
    job, data = trained(engine, "regression", 96)
    assert job.measure == "held-out rank correlation (Spearman)"
    mean = sum(row["label"] for row in data) / len(data)
    spread = (sum((row["label"] - mean) ** 2 for row in data) / len(data)) ** 0.5
    assert job.result["accuracy"] == job.result["measures"]["spearman"] > 0.6
    assert job.result["measures"]["rmse"] < 0.5 * spread
    texts = ["the parcel was lovely", "the ticket was awful"]
    asked = PredictRequest(model="acme/regression", input=texts)
    high, low = (one.values[0] for one in asyncio.run(engine.predict(asked)).data)
    assert high > 7000 > 3000 > low
