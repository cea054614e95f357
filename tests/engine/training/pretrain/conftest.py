"""A text of few words in a strict order, so that a tiny decoder learns it in a second."""

from __future__ import annotations

import numpy as np
import pytest

from engine.training.pretrain.corpus import Ids, passages
from engine.training.pretrain.decoder import DecoderShape
from engine.training.pretrain.run import PretrainPlan
from engine.training.pretrain.vocabulary import learn_vocabulary, rows_of

PLAN = PretrainPlan(
    DecoderShape(layers=2, hidden=32, heads=2, context=16, vocabulary=300), batch_tokens=256
)


def a_text(lines: int = 1000, seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    said = ("the parcel is late", "a refund was sent", "please call me, naïve as I am", "thanks!")
    return "".join(f"{i % 10}: {said[rng.integers(len(said))]}.\n\n" for i in range(lines))


@pytest.fixture(scope="session")
def rows() -> list[Ids]:
    texts = passages(a_text(), 350)
    return rows_of(learn_vocabulary(texts, PLAN.shape.vocabulary), texts)
