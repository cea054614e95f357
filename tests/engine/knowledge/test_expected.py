from __future__ import annotations

import pytest

from engine.knowledge.expected import expect
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder


@pytest.mark.parametrize(
    ("documents", "hit_rate"),
    [
        ([], 0.0),
        (["the film was very good"], 0.0),
        (["good good good good"], 0.0),
        (["the film was very good"] * 2, 1.0),
        # [CLS] it is late [SEP] five times, and once it is dull: of its five trigrams the first
        # two are found elsewhere; of the others' all are.
        (["it is late"] * 5 + ["it is dull"], (5 * 5 + 2) / 30),
    ],
    ids=["nothing", "one", "one repeats itself", "twice", "mostly"],
)
def test_each_document_is_looked_up_in_the_others(
    backbone: Backbone, encoder: NgramEncoder, documents: list[str], hit_rate: float
) -> None:
    found = expect(backbone, documents, encoder.boundary)
    assert found.hit_rate == pytest.approx(hit_rate)
    assert found.tokens == sum(len(ids) for ids in backbone.tokenize(documents))
