from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.errors import Damaged
from engine.model.backbone import Backbone
from engine.model.layers import LayerWeights, run_layer
from engine.model.ngram_encoder import NgramEncoder
from engine.model.ngrams import ABSENT
from engine.model.packing import Packing
from engine.model.rows import decode_rows, row_bytes
from engine.model.steady import GRAIN, MOST
from engine.model.token_projections import TokenProjections

GRAPH = 5e-3
"""How far a served row may be from the float32 graph it was trained as, beside half a step of its
own: the tables by token are float16."""
BRIEF = 0.08
"""The same where layers compute in bfloat16: eight bits of numbers up to four."""


def _grams(count: int, encoder: NgramEncoder, seed: int = 0) -> Tensor:
    """N-grams of all three orders, the boundary among their tokens."""
    generator = torch.Generator().manual_seed(seed)
    grams = torch.randint(0, encoder.boundary + 1, (count, 3), generator=generator)
    grams[::5, 0] = ABSENT
    grams[::10, 2] = ABSENT
    return grams


def _copy(encoder: NgramEncoder, backbone: Backbone) -> NgramEncoder:
    """The same weights with nothing remembered."""
    again = NgramEncoder(backbone, encoder.form.widths)
    again.load(encoder.state_dict())
    return again.freeze()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2 * MOST), st.integers(0, 1000))
def test_an_ngram_gets_the_same_bits_in_any_company(
    encoder: NgramEncoder, backbone: Backbone, count: int, seed: int
) -> None:
    grams = _grams(count, encoder, seed)
    together = encoder.compute(grams)
    pick = seed % count
    assert torch.equal(encoder.compute(grams[pick : pick + 1])[0], together[pick])
    assert torch.equal(_copy(encoder, backbone).compute(grams.flip(0)).flip(0), together)


def test_the_bundled_shape_gets_the_same_bits_in_any_company_on_any_threads(
    bundled: Backbone, threads: int
) -> None:
    """Against bits that one thread computed one by one, in another order."""
    widths = (bundled.shape.intermediate, 96)
    alone, together = (NgramEncoder(bundled, widths).freeze() for _ in range(2))
    grams = _grams(MOST + 9, alone)
    torch.set_num_threads(1)
    expected = torch.cat([alone.compute(gram[None]) for gram in grams.flip(0)]).flip(0)
    torch.set_num_threads(threads)
    assert torch.equal(together.compute(grams), expected)
    for count in range(GRAIN - 1, MOST, GRAIN):
        start = count // 2
        assert torch.equal(
            together.compute(grams[start : start + count]), expected[start : start + count]
        ), f"{count} at once"


def test_where_products_depend_on_their_height_there_is_only_one(
    bundled: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.token_projections.is_steady", lambda *_: False)
    encoder = NgramEncoder(bundled).freeze()
    grams = _grams(70, encoder)
    heights: set[int] = set()
    chunk = encoder._chunk

    def spy(layers: list[LayerWeights], part: Tensor, known: TokenProjections) -> Tensor:
        heights.add(len(part))
        return chunk(layers, part, known)

    monkeypatch.setattr(encoder, "_chunk", spy)
    together = encoder.compute(grams)
    assert all(torch.equal(encoder.compute(grams[i : i + 1])[0], together[i]) for i in (0, 33, 69))
    assert len(heights) == 1


def test_two_threads_that_come_first_at_once_get_the_same_bits(
    encoder: NgramEncoder, backbone: Backbone
) -> None:
    grams = _grams(3 * MOST, encoder)
    expected = encoder.compute(grams)
    for _ in range(5):
        fresh = _copy(encoder, backbone)
        together = threading.Barrier(2)
        got: list[Tensor] = []

        def compute(fresh: NgramEncoder = fresh, got: list[Tensor] = got) -> None:
            together.wait(10)  # noqa: B023
            got.append(fresh.compute(grams))

        others = [threading.Thread(target=compute) for _ in range(2)]
        for other in others:
            other.start()
        for other in others:
            other.join(20)
        assert len(got) == 2
        assert all(torch.equal(rows, expected) for rows in got)


@pytest.mark.parametrize("widths", [(64,), (64, 24), (16, 64, 64)], ids=str)
def test_a_computed_row_is_the_graphs_within_its_rounding(
    backbone: Backbone, widths: tuple[int, ...]
) -> None:
    encoder = NgramEncoder(backbone, widths).freeze()
    grams = _grams(100, encoder)
    rows, stored = encoder.rows(grams), encoder.compute(grams)
    assert stored.dtype == torch.int8
    assert stored.shape == (100, row_bytes(encoder.shape.hidden))
    half_step = rows.abs().amax(1, keepdim=True) / 254
    assert ((decode_rows(stored) - rows).abs() <= half_step + GRAPH).all()


def test_a_computed_row_of_the_bundled_shape_is_the_graphs_within_its_rounding(
    bundled: Backbone,
) -> None:
    encoder = NgramEncoder(bundled).freeze()
    grams = _grams(40, encoder)
    rows = encoder.rows(grams)
    half_step = rows.abs().amax(1, keepdim=True) / 254
    assert ((decode_rows(encoder.compute(grams)) - rows).abs() <= half_step + GRAPH).all()


def test_rows_in_bfloat16_are_steady_close_to_the_graph_and_of_their_own_fingerprint(
    encoder: NgramEncoder, brief_backbone: Backbone, threads: int
) -> None:
    brief = _copy(encoder, brief_backbone)
    grams = _grams(MOST + 20, encoder)
    together = brief.compute(grams)
    alone = _copy(encoder, brief_backbone)
    assert torch.equal(torch.cat([alone.compute(gram[None]) for gram in grams]), together)
    rows = encoder.rows(grams)
    half_step = rows.abs().amax(1, keepdim=True) / 254
    assert ((decode_rows(together) - rows).abs() <= half_step + BRIEF).all()
    assert not torch.equal(together, encoder.compute(grams))
    assert brief.fingerprint() != encoder.fingerprint()


def test_one_whole_layer_is_the_backbones_first_on_three_tokens_of_which_the_middle_goes_on(
    backbone: Backbone,
) -> None:
    encoder = NgramEncoder(backbone, (backbone.shape.intermediate,))
    grams = torch.randint(0, encoder.boundary, (6, 3))
    packing = Packing.of([3] * 6)
    states = backbone.embed(grams.flatten(), packing)
    states = run_layer(backbone.layers[0], states, packing, backbone.shape)
    assert torch.allclose(encoder.rows(grams), states.view(6, 3, -1)[:, 1], atol=1e-5)


def test_an_absent_slot_is_as_if_nobody_stood_there(
    encoder: NgramEncoder, backbone: Backbone
) -> None:
    for gram, places in (([ABSENT, 7, 9], (1, 2)), ([ABSENT, 7, ABSENT], (1,))):
        present = [encoder.embed(torch.tensor([gram[place]]), place) for place in places]
        (weights,) = encoder.layers()
        packing = Packing.of([len(places)])
        expected = run_layer(weights, torch.cat(present), packing, backbone.shape)[0]
        assert torch.allclose(encoder.rows(torch.tensor([gram]))[0], expected, atol=1e-5)


def test_a_boundary_is_heard_and_is_no_word(encoder: NgramEncoder) -> None:
    lefts = [ABSENT, *range(encoder.boundary + 1)]
    rows = encoder.rows(torch.tensor([[left, 7, 9] for left in lefts]))
    apart = (rows[:-1] - rows[-1]).abs().amax(1)
    assert (apart > 1e-3).all()


def test_everything_in_it_learns_but_the_words(backbone: Backbone) -> None:
    learning = NgramEncoder(backbone, (64, 24))
    assert not learning.word.requires_grad
    loss = learning.rows(_grams(40, learning)).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    deaf = {name for name, p in learning.named_parameters() if p.grad is None}
    assert deaf == set()
    assert "word" not in learning.state_dict()


def test_what_it_remembers_of_tokens_goes_with_the_weights(
    encoder: NgramEncoder, backbone: Backbone
) -> None:
    grams = _grams(20, encoder)
    other = _copy(encoder, backbone)
    before = other.compute(grams)
    changed = {name: t + 0.1 for name, t in other.state_dict().items()}
    other.load(changed)
    after = other.compute(grams)
    assert not torch.equal(after, before)
    assert torch.equal(after, _copy(other, backbone).compute(grams))


def test_its_fingerprint_tells_any_change_of_what_decides_a_row(
    encoder: NgramEncoder, backbone: Backbone
) -> None:
    assert _copy(encoder, backbone).fingerprint() == encoder.fingerprint()
    seen = {encoder.fingerprint()}
    for name in encoder.state_dict():
        other = _copy(encoder, backbone)
        with torch.no_grad():
            dict(other.named_parameters())[name].flatten()[0] += 1e-3
        seen.add(other.fingerprint())
    assert len(seen) == 1 + len(encoder.state_dict())


def test_weights_of_another_form_are_refused(encoder: NgramEncoder, backbone: Backbone) -> None:
    narrow = NgramEncoder(backbone, (8,))
    with pytest.raises(Damaged, match="do not fit") as caught:
        narrow.load(encoder.state_dict())
    assert caught.value.code == "encoder_damaged"
