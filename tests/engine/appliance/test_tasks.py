"""vPLMs of all tasks side by side on the small backbone: routes, batches, refusals."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.appliance import Appliance
from engine.appliance.source import store_adapters
from engine.errors import BadInput
from engine.model.adapters import random_adapter
from engine.model.reading import read_texts, read_words
from engine.schema import (
    ClassifyRequest,
    EmbeddingsRequest,
    EmbeddingsResponse,
    PredictRequest,
    TagRequest,
    TextPair,
    TrainRequest,
)
from engine.serving.work import Mode, Ticket, Work
from tests.engine.appliance.small import (
    DEADLINE_S,
    TEXTS,
    core_of,
    make_vplm,
    same,
    tolerance_of,
)

LABELS = {
    "classify": ("no", "yes"),
    "multilabel": ("late", "rude", "dear"),
    "pair": ("same", "other", "neither"),
    "tokens": ("O", "B-thing", "I-thing"),
    "regression": ("stars", "length"),
    "embedding": (),
}
PAIRS = [TextPair(text=a, text_pair=b) for a, b in zip(TEXTS, reversed(TEXTS), strict=True)]


@pytest.fixture
def every(appliance: Appliance) -> Appliance:
    """With a vPLM of each task, acme/TASK, and a second classifier."""
    for task, labels in LABELS.items():
        given = {"adapter": decided(appliance, 3.0)} if task == "classify" else {}
        make_vplm(appliance, f"acme/{task}", labels, task=task, **given)
    make_vplm(appliance, "acme/other", LABELS["classify"], adapter=decided(appliance, -3.0))
    return appliance


def decided(appliance: Appliance, bias: float) -> str:
    """An adapter that says no to everything, or yes, so that two cannot be taken for each other."""
    core = core_of(appliance)
    labels = LABELS["classify"]
    weights = random_adapter(
        replace(core.adapter_shape, rank=4), len(labels), torch.Generator().manual_seed(0)
    )
    weights = replace(weights, head_bias=torch.tensor([bias, -bias]))
    [row] = store_adapters(
        core.blobs, core.backbone, [weights], domain="general", labels=labels, created_by="random"
    )
    core.catalogue.adapters.add(row)
    return row.id


def works_of(appliance: Appliance, task: str, mode: Mode, ticket: Ticket) -> list[Work]:
    core = core_of(appliance)
    model = core.models.take(f"acme/{task}")
    if task == "tokens":
        readings = read_words(core.backbone, TEXTS)
    elif task == "pair":
        readings = read_texts(core.backbone, [(p.text, p.text_pair) for p in PAIRS])
    else:
        readings = read_texts(core.backbone, TEXTS)
    return [
        Work(model, mode, r.ids, ticket, i, second=r.second, words=r.words)
        for i, r in enumerate(readings)
    ]


def values(appliance: Appliance, tasks: list[tuple[str, Mode]]) -> list[list[tuple[float, ...]]]:
    """What all of them answer when they are asked in one instant."""
    tickets = [Ticket(len(TEXTS), "disk") for _ in tasks]
    asked = zip(tasks, tickets, strict=True)
    core_of(appliance).queue.offer(
        [work for (task, mode), t in asked for work in works_of(appliance, task, mode, t)]
    )
    outcomes = [ticket.future.result(DEADLINE_S) for ticket in tickets]
    if len(tasks) > 1:
        # One batch, if the first text did not go ahead alone.
        assert max(o.batch_models for each in outcomes for o in each) > 1
    return [[o.values for o in each] for each in outcomes]


def test_an_answer_does_not_depend_on_other_tasks_in_its_batch(every: Appliance) -> None:
    modes: tuple[Mode, ...] = ("plot", "exact")
    asks = [(task, mode) for task in [*LABELS, "other"] for mode in modes]
    alone = [values(every, [ask])[0] for ask in asks]
    together = values(every, asks)
    backwards = values(every, asks[::-1])[::-1]
    # Numbers that are no probabilities are several times as large, and round so much coarser.
    tolerance = 4 * tolerance_of(every)
    for ask, one, two, three in zip(asks, alone, together, backwards, strict=True):
        assert same(one, two, tolerance), ask
        assert same(one, three, tolerance), ask
    sizes = {task: len(one[0]) for (task, _), one in zip(asks, alone, strict=True)}
    words = len(works_of(every, "tokens", "plot", Ticket(5, "disk"))[0].words)
    assert sizes == {
        "classify": 2,
        "multilabel": 3,
        "pair": 3,
        "tokens": 3 * words,
        "regression": 2,
        "embedding": 32,
        "other": 2,
    }
    # The second classifier has parameters of its own.
    first, other = alone[asks.index(("classify", "plot"))], alone[asks.index(("other", "plot"))]
    assert not same(first, other, tolerance)


def test_each_task_is_asked_on_its_route(every: Appliance) -> None:
    ask = asyncio.run
    one = ask(every.classify(ClassifyRequest(model="acme/multilabel", input="a good film")))
    assert one.data[0].labels is not None
    assert set(one.data[0].labels) == {
        label for label, p in zip(one.labels, one.data[0].probs, strict=True) if p >= 0.5
    }
    pair = ask(every.classify(ClassifyRequest(model="acme/pair", input=PAIRS, explain=True)))
    assert [len(p.probs) for p in pair.data] == [3] * 5
    assert pair.data[0].labels is None
    assert pair.tokens is not None
    assert all(each for each in pair.tokens)
    spans = ask(every.tag(TagRequest(model="acme/tokens", input=list(TEXTS))))
    assert spans.labels == ["thing"]
    for text, found in zip(TEXTS, spans.data, strict=True):
        assert all(text[s.start : s.end] == s.text and s.label == "thing" for s in found.spans)
    numbers = ask(every.predict(PredictRequest(model="acme/regression", input=[TEXTS[0], *PAIRS])))
    assert numbers.outputs == ["stars", "length"]
    assert [len(each.values) for each in numbers.data] == [2] * 6


def embed(appliance: Appliance, **more: Any) -> EmbeddingsResponse:
    request = EmbeddingsRequest(model="acme/embedding", input=list(TEXTS), **more)
    return asyncio.run(appliance.embed(request))


def test_an_embedding_is_the_backbones_own_and_comes_in_base64_too(every: Appliance) -> None:
    plain = np.array([one.embedding for one in embed(every, mode="exact").data], dtype="<f4")
    assert np.allclose(np.linalg.norm(plain, axis=1), 1, atol=1e-5)
    packed = embed(every, mode="exact", encoding_format="base64")
    for one, row in zip(packed.data, plain, strict=True):
        assert isinstance(one.embedding, str)
        found = np.frombuffer(base64.b64decode(one.embedding), dtype="<f4")
        assert np.allclose(found, row, atol=tolerance_of(every))
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0
    assert len(embed(every, dimensions=32).data) == len(TEXTS)
    with pytest.raises(BadInput, match="32 dimensions") as error:
        embed(every, dimensions=8)
    assert error.value.code == "dimensions"


def test_an_embedding_vplm_may_take_anothers_adapter_and_shares_the_one_that_does_nothing(
    every: Appliance,
) -> None:
    other = every.vplm("acme/other")
    make_vplm(every, "acme/adapted", (), task="embedding", adapter=other.adapter)
    make_vplm(every, "acme/second", (), task="embedding")
    assert every.vplm("acme/second").adapter == every.vplm("acme/embedding").adapter
    assert every.vplm("acme/second").stored_bytes < other.stored_bytes
    request = EmbeddingsRequest(model="acme/adapted", input=list(TEXTS), mode="exact")
    adapted = asyncio.run(every.embed(request)).data[0].embedding
    assert adapted != embed(every, mode="exact").data[0].embedding
    every.remove_vplm("acme/embedding")
    request = EmbeddingsRequest(model="acme/second", input="a good film")
    assert asyncio.run(every.embed(request)).data


@pytest.mark.parametrize(
    ("task", "route"),
    [
        ("tokens", "POST /v1/tag (hmi tag)"),
        ("regression", "POST /v1/predict (hmi predict)"),
        ("embedding", "POST /v1/embeddings (hmi embed)"),
    ],
)
def test_asking_the_wrong_kind_names_the_right_route(
    every: Appliance, task: str, route: str
) -> None:
    with pytest.raises(BadInput) as error:
        asyncio.run(every.classify(ClassifyRequest(model=f"acme/{task}", input="a")))
    assert (error.value.code, error.value.status) == ("wrong_task", 422)
    assert route in error.value.remedy
    with pytest.raises(BadInput) as error:
        asyncio.run(every.tag(TagRequest(model="acme/pair", input="a")))
    assert "/v1/classify" in error.value.remedy


def test_a_pair_is_needed_where_two_texts_are_read_and_nowhere_else(every: Appliance) -> None:
    for model, given in (("acme/pair", "a good film"), ("acme/classify", PAIRS[0])):
        with pytest.raises(BadInput) as error:
            asyncio.run(every.classify(ClassifyRequest(model=model, input=[given])))
        assert error.value.code == "wrong_input"
        assert "input[0]" in error.value.detail


def upload(appliance: Appliance, task: Any, *rows: dict[str, Any]) -> None:
    body = "\n".join(map(json.dumps, rows)).encode()
    appliance.put_dataset("acme", "data", iter([body]), "jsonl", "text", "label", task)


def test_a_dataset_of_another_kind_trains_nothing(every: Appliance) -> None:
    upload(every, "classify", {"text": "a", "label": "no"}, {"text": "b", "label": "yes"})
    for task, code in (("tokens", "dataset_task"), ("embedding", "not_trained")):
        with pytest.raises(BadInput) as error:
            every.train(TrainRequest(vplm=f"acme/{task}", dataset="data"))
        assert error.value.code == code
    upload(every, "regression", {"text": "a", "label": 1}, {"text": "b", "label": 2})
    with pytest.raises(BadInput, match="1 numbers each") as error:
        every.train(TrainRequest(vplm="acme/regression", dataset="data"))
    assert error.value.code == "number_count"
    upload(every, "tokens", {"text": "a film", "label": [[2, 6, "place"]]})
    with pytest.raises(BadInput, match=r"does not know: place\. It knows thing"):
        every.train(TrainRequest(vplm="acme/tokens", dataset="data"))


def test_a_head_of_another_task_is_not_taken_over(every: Appliance) -> None:
    taken = every.vplm("acme/regression").adapter
    with pytest.raises(BadInput) as error:
        make_vplm(every, "acme/new", ("a", "b"), adapter=taken)
    assert error.value.code == "adapter_task"
    assert "regression" in error.value.remedy
