from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engine.model.backbone import Backbone
from engine.model.layers import finish
from engine.model.ngram_encoder import NgramEncoder
from engine.model.token_projections import TokenProjections

HALF = 2e-3
"""Relative rounding of what is kept in float16."""


@pytest.fixture(scope="module")
def deep(backbone: Backbone) -> NgramEncoder:
    return NgramEncoder(backbone, (64, 24)).freeze()


def _tokens(encoder: NgramEncoder, count: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, encoder.boundary + 1, (count, 3), generator=generator)


def test_the_first_layer_has_every_tokens_projections_in_its_slot(deep: NgramEncoder) -> None:
    tokens = _tokens(deep)
    left, right, own = TokenProjections(deep).take(tokens, 0)
    w, hidden = deep.layers()[0], deep.shape.hidden
    for slot, found in ((0, left), (2, right)):
        x = deep.embed(tokens[:, slot], slot)
        expected = F.linear(x, w.qkv[hidden:], w.qkv_bias[hidden:])
        assert torch.allclose(found, expected, rtol=HALF, atol=HALF)
    assert own is not None
    expected = F.linear(deep.embed(tokens[:, 1], 1), w.qkv, w.qkv_bias)
    assert torch.allclose(own, expected, rtol=HALF, atol=HALF)


def test_the_next_layer_has_neighbours_as_each_is_with_nobody_around(deep: NgramEncoder) -> None:
    tokens = _tokens(deep)
    projections = TokenProjections(deep)
    projections.take(tokens, 0)
    left, _, own = projections.take(tokens, 1)
    assert own is None
    first, second = deep.layers()
    hidden = deep.shape.hidden
    x = deep.embed(tokens[:, 0], 0)
    # With nobody around, all of a token's attention is on itself: it hears its own value.
    value = F.linear(x, first.qkv[2 * hidden :], first.qkv_bias[2 * hidden :])
    x = finish(first, x, value, deep.shape)
    expected = F.linear(x, second.qkv[hidden:], second.qkv_bias[hidden:])
    assert torch.allclose(left, expected, rtol=HALF, atol=HALF)


def test_a_tokens_numbers_do_not_depend_on_whom_it_was_met_with(deep: NgramEncoder) -> None:
    tokens = _tokens(deep, 40)
    at_once, one_by_one = TokenProjections(deep), TokenProjections(deep)
    at_once.take(tokens, 0)
    for i in range(len(tokens)):
        one_by_one.take(tokens[i : i + 1], 0)
    for depth in (0, 1):
        for some, others in zip(
            at_once.take(tokens, depth), one_by_one.take(tokens, depth), strict=True
        ):
            assert (some is None) == (others is None)
            assert some is None or others is None or torch.equal(some, others)


def test_a_token_is_projected_once(deep: NgramEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    projections = TokenProjections(deep)
    met: list[int] = []
    project = projections._project

    def spy(tokens: Tensor) -> list[Tensor]:
        met.extend(set(tokens.tolist()))
        return project(tokens)

    monkeypatch.setattr(projections, "_project", spy)
    everyone = range(1, deep.boundary + 1)
    for left in (1, 2):
        for token in everyone:
            projections.take(torch.tensor([[left, token, token]]), 0)
    # Zero fills up what is projected at a time.
    assert sorted(token for token in met if token) == list(everyone)
