from __future__ import annotations

import random

import pytest
import torch

from engine.errors import BadInput, Cancelled
from engine.knowledge.distil import (
    DistilPlan,
    DistilProgress,
    distil,
    held_out_errors,
    windows,
)
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import NgramEncoder

WORDS = [
    *("the", "a", "good", "bad", "film", "movie", "was", "is", "very", "not"),
    *("dull", "great", "plot", "order", "money"),
]


@pytest.fixture(scope="module")
def lines() -> list[str]:
    rng = random.Random(0)
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) for _ in range(160)]


@pytest.fixture
def pupil(backbone: Backbone) -> NgramEncoder:
    torch.manual_seed(3)
    return NgramEncoder(backbone)


def _bits(backbone: Backbone) -> dict[str, torch.Tensor]:
    e = backbone.embeddings
    weights = {
        f"{layer}.{name}": t
        for layer, tensors in enumerate(backbone.layers)
        for name, t in tensors.tensors().items()
    }
    weights |= {"word": e.word, "position": e.position, "segment": e.segment}
    weights |= {"norm": e.norm, "norm_bias": e.norm_bias}
    return {name: t.clone() for name, t in weights.items()}


def _plan(tokens: int = 6_000) -> DistilPlan:
    return DistilPlan(tokens=tokens, lr=3e-3, batch_tokens=128, report_every=10)


def test_a_few_steps_lower_the_held_out_error_and_change_nothing_of_the_backbone(
    backbone: Backbone, pupil: NgramEncoder, lines: list[str]
) -> None:
    before, weights = _bits(backbone), [p.detach().clone() for p in pupil.parameters()]
    held_out = windows(backbone, lines, 24)[::50]
    low, top = held_out_errors(pupil, backbone, held_out, _plan())
    told: list[DistilProgress] = []
    end = distil(pupil, backbone, lines, _plan(), told.append)
    assert end.error < 0.8 * low
    assert end.error_top < 0.9 * top
    after = _bits(backbone)
    assert all(torch.equal(after[name], kept) for name, kept in before.items())
    assert torch.equal(pupil.word, backbone.embeddings.word)
    assert all(
        not torch.equal(old, new) for old, new in zip(weights, pupil.parameters(), strict=True)
    )
    assert told[-1] == end
    assert end.share == 1.0
    assert end.tokens >= 6_000
    assert [p.step for p in told] == sorted(p.step for p in told)
    assert (end.error, end.error_top) == pytest.approx(
        held_out_errors(pupil, backbone, held_out, _plan())
    )


def test_the_same_seed_gives_the_same_encoder(
    backbone: Backbone, pupil: NgramEncoder, lines: list[str]
) -> None:
    again = NgramEncoder(backbone)
    again.load(pupil.state_dict())
    for encoder in (pupil, again):
        distil(encoder, backbone, lines, _plan(500))
    assert pupil.fingerprint() == again.fingerprint()


def test_distillation_stops_when_it_is_cancelled(
    backbone: Backbone, pupil: NgramEncoder, lines: list[str]
) -> None:
    steps = iter([False, False, True])
    with pytest.raises(Cancelled, match="tokens"):
        distil(pupil, backbone, lines, _plan(), cancelled=lambda: next(steps))
    assert next(steps, None) is None


def test_a_corpus_too_small_to_hold_anything_out_is_refused(
    backbone: Backbone, pupil: NgramEncoder, lines: list[str]
) -> None:
    with pytest.raises(BadInput, match="50 lines") as caught:
        distil(pupil, backbone, lines[:50], _plan())
    assert "longer corpus" in caught.value.remedy
    with pytest.raises(BadInput):
        distil(pupil, backbone, [], _plan())


def test_long_lines_are_cut_into_windows_and_no_word_is_lost(backbone: Backbone) -> None:
    texts = ["", "good film", " ".join(WORDS * 3)]
    rows = windows(backbone, texts, 10)
    assert max(map(len, rows)) == 10
    assert {(row[0], row[-1]) for row in rows} == {tuple(backbone.tokenize([""])[0])}
    inside = [token for row in rows for token in row[1:-1]]
    assert inside == [token for ids in backbone.tokenize(texts) for token in ids[1:-1]]


@pytest.mark.parametrize("count", [0, 512, 513])
def test_any_number_of_lines_makes_windows(backbone: Backbone, count: int) -> None:
    assert len(windows(backbone, ["good film"] * count, 10)) == count


def test_windows_are_no_longer_than_the_backbone_reads(
    backbone: Backbone, pupil: NgramEncoder
) -> None:
    assert DistilPlan().window > backbone.max_tokens
    end = distil(pupil, backbone, [" ".join(WORDS * 3)] * 30, _plan(200))
    assert end.tokens >= 200
