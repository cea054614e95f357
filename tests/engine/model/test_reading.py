from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch

from engine.model.backbone import Backbone
from engine.model.ngrams import trigrams
from engine.model.packing import Packing
from engine.model.pooling import Pooling
from engine.model.reading import Reading, Text, read_texts, read_words

TEXTS: list[Text] = [
    "a good film",
    ("the parcel was very late", "my order is not back please"),
    "dull",
    ("a great plot", "it was bad"),
]


def theirs(backbone: Backbone, text: Text) -> tuple[torch.Tensor, list[int]]:
    """The last layer's states (T, H) of one text by transformers, and its token ids."""
    transformers: Any = importlib.import_module("transformers")
    folder = backbone.checkpoint.folder
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    parts = (text,) if isinstance(text, str) else text
    encoded = tokenizer(*parts, return_tensors="pt")
    with torch.no_grad():
        return model(**encoded).last_hidden_state[0], encoded["input_ids"][0].tolist()


def ours(backbone: Backbone, readings: list[Reading]) -> tuple[torch.Tensor, Packing]:
    lengths = [len(reading.ids) for reading in readings]
    packing = Packing.of(lengths, seconds=[reading.second for reading in readings])
    ids = torch.tensor([token for reading in readings for token in reading.ids])
    with torch.no_grad():
        return backbone.upper(backbone.lower(ids, packing), packing), packing


def test_texts_and_pairs_in_one_batch_are_read_as_transformers_reads_each(
    backbone: Backbone,
) -> None:
    readings = read_texts(backbone, TEXTS)
    states, packing = ours(backbone, readings)
    for text, reading, mine in zip(
        TEXTS, readings, torch.split(states, list(packing.sizes)), strict=True
    ):
        wanted, ids = theirs(backbone, text)
        assert reading.ids == ids
        assert (reading.second > 0) == isinstance(text, tuple)
        torch.testing.assert_close(mine, wanted, rtol=1e-5, atol=1e-5)


def test_embeddings_equal_transformers_mean_pooling(bundled: Backbone) -> None:
    assert bundled.pooling == Pooling("mean", normalised=True)
    texts = ["The quick brown fox jumps over the lazy dog.", "A short one", "Refund my card!"]
    states, packing = ours(bundled, read_texts(bundled, texts))
    found = bundled.pooling.apply(states, packing)
    for text, mine in zip(texts, found, strict=True):
        wanted = theirs(bundled, text)[0].mean(0)
        torch.testing.assert_close(mine, wanted / wanted.norm(), rtol=0, atol=1e-5)


def test_the_first_token_may_stand_for_the_text() -> None:
    states = torch.arange(12.0).view(6, 2)
    found = Pooling("cls", normalised=False).apply(states, Packing.of([2, 3, 1]))
    assert found.tolist() == [[0.0, 1.0], [4.0, 5.0], [10.0, 11.0]]


def test_a_second_texts_ngrams_are_those_it_has_alone(backbone: Backbone) -> None:
    pair, first, second = read_texts(
        backbone, [("a good film", "it was bad"), "a good film", "it was bad"]
    )
    ids, boundary = np.array(pair.ids), 999
    found = trigrams(ids, np.array([len(ids)]), boundary, np.array([pair.second]))
    alone = [trigrams(np.array(r.ids), np.array([len(r.ids)]), boundary) for r in (first, second)]
    assert found.tolist() == [*alone[0].tolist(), *alone[1][1:].tolist()]


@pytest.mark.parametrize(("left", "right"), [(40, 2), (2, 40), (40, 40), (12, 12)])
def test_of_a_pair_that_is_too_long_the_longer_text_gives_way(
    backbone: Backbone, left: int, right: int
) -> None:
    (reading,) = read_texts(backbone, [("good " * left, "bad " * right)])
    good, bad, sep = backbone.tokenizer.convert_tokens_to_ids(["good", "bad", "[SEP]"])
    assert reading.cut
    assert len(reading.ids) == backbone.max_tokens
    counts = reading.ids.count(good), reading.ids.count(bad)
    assert sum(counts) == backbone.max_tokens - 3
    assert min(counts) == min(left, right, sum(counts) // 2)
    assert (reading.ids[reading.second - 1], reading.ids[-1]) == (sep, sep)
    assert reading.ids[reading.second] == bad


def test_words_are_found_with_their_characters(backbone: Backbone) -> None:
    text = "  my card, the bank!"
    (reading,) = read_words(backbone, [text])
    assert [text[a:b] for a, b in reading.offsets] == ["my", "card", ",", "the", "bank", "!"]
    assert reading.words == tuple(range(1, 7))
    assert not reading.cut


def test_words_that_the_backbone_does_not_read_have_no_place(backbone: Backbone) -> None:
    (reading,) = read_words(backbone, ["good " * 100])
    assert reading.cut
    assert len(reading.words) == len(reading.offsets) == backbone.max_tokens - 2
    assert reading.words[-1] == backbone.max_tokens - 2
