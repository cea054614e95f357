"""Distillation of a decoder: its upper layers stay, and it foretells the held-out text better."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engine.errors import BadInput
from engine.knowledge.distil import HELD_OUT_EVERY, SHORTEST_WINDOW, Distillation
from engine.knowledge.distil_plan import DistilPlan, DistilProgress
from engine.knowledge.hplm import Hplm
from engine.knowledge.perplexity import next_token_loss, perplexity_of
from engine.model.decoder import Decoder
from engine.model.packing import Packing

LINES = ["the film was very good", "my parcel is late , please refund my money", "it was dull"]


@pytest.fixture(scope="module")
def trained(decoder: Decoder) -> tuple[DistilProgress, DistilProgress, Hplm]:
    """Before and after some training."""
    torch.manual_seed(5)
    hplm = Hplm.untrained(decoder)
    plan = DistilPlan(tokens=20_000, minutes=9, low=0.3, window=24, varied=0.0, lr=4e-3)
    run = Distillation(hplm, decoder, LINES * 80, plan)
    before = run.progress()
    return before, run.run(lambda _: None), hplm


def test_it_comes_nearer_to_the_exact_layers_and_to_the_text(
    trained: tuple[DistilProgress, DistilProgress, Hplm],
) -> None:
    before, after, _ = trained
    assert after.error < 0.6 * before.error
    assert before.perplexity is not None
    assert after.perplexity is not None
    assert after.exact_perplexity == before.exact_perplexity
    assert after.perplexity < 0.9 * before.perplexity


def test_the_decoder_stays_as_it_was(
    decoder: Decoder, trained: tuple[DistilProgress, DistilProgress, Hplm]
) -> None:
    from engine.model.decoder import load_decoder

    fresh = load_decoder(decoder.checkpoint.folder, split=decoder.split)
    for one, other in zip(decoder.layers, fresh.layers, strict=True):
        for name, tensor in one.tensors().items():
            assert torch.equal(tensor, other.tensors()[name])
    assert torch.equal(decoder.embeddings.word, fresh.embeddings.word)
    assert torch.equal(decoder.head, fresh.head)
    assert torch.equal(decoder.norm, fresh.norm)


def test_every_position_that_a_text_may_use_is_learnt(decoder: Decoder) -> None:
    assert DistilPlan(lr=1e-3).suited_to(decoder).window == decoder.max_tokens
    assert DistilPlan(lr=1e-3).suited_to(decoder).lr == 1e-3


def test_a_short_running_text_is_cut_shorter_so_that_some_can_be_held_out(decoder: Decoder) -> None:
    plan = DistilPlan(minutes=9).suited_to(decoder)
    times = next(
        n
        for n in range(80, 0, -1)
        if len(decoder.windows(LINES * n, decoder.max_tokens)) <= HELD_OUT_EVERY
    )
    rows = Distillation(Hplm.untrained(decoder), decoder, LINES * times, plan)._rows
    assert len(rows) > HELD_OUT_EVERY
    assert SHORTEST_WINDOW <= max(map(len, rows)) <= (decoder.max_tokens + 1) // 2
    with pytest.raises(BadInput, match="passages"):
        Distillation(Hplm.untrained(decoder), decoder, LINES * 8, plan)


def test_a_passage_that_was_changed_foretells_nothing(decoder: Decoder) -> None:
    run = Distillation(Hplm.untrained(decoder), decoder, LINES * 80, DistilPlan(window=24))
    rng = np.random.default_rng(0)
    changed = {0: [5, 6, 7, 8, 9]}

    def loss(batch: list[int], instead: dict[int, list[int]]) -> torch.Tensor | None:
        return run._learnt(batch, 0.0, rng, instead, low=False).next_token

    assert loss([0], changed) is None
    alone, beside = loss([1], {}), loss([0, 1], changed)
    assert alone is not None
    assert beside is not None
    assert torch.allclose(alone, beside, atol=1e-5)


def test_the_loss_is_each_token_s_but_the_first_of_its_text(decoder: Decoder) -> None:
    rows = [[5, 6, 7], [9], [8, 4]]
    packing = Packing.of([3, 1, 2])
    ids = torch.tensor([t for row in rows for t in row])
    with torch.no_grad():
        top = decoder.upper(decoder.lower(ids, packing), packing)
        losses = next_token_loss(decoder, top, ids, packing)
        share = decoder.logits(top).log_softmax(-1)
    expected = [-share[0, 6], -share[1, 7], -share[4, 4]]
    assert torch.allclose(losses, torch.stack(expected), atol=1e-6)


def test_perplexity_is_the_exponential_of_the_mean_loss(decoder: Decoder) -> None:
    rows = [[5, 6, 7], [8, 4]]
    alone = [perplexity_of(decoder, [row]) for row in rows]
    both = perplexity_of(decoder, rows)
    assert math.log(both) == pytest.approx((2 * math.log(alone[0]) + math.log(alone[1])) / 3)
    assert perplexity_of(decoder, [[1], [2]]) == math.inf
