from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Damaged, Unavailable
from engine.knowledge.encoder_file import load_encoder, save_encoder
from engine.model.backbone import Backbone
from engine.model.ngram_encoder import CHUNK, NgramEncoder
from engine.model.ngrams import ABSENT
from engine.model.packing import Packing


def _grams(count: int, encoder: NgramEncoder, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, encoder.boundary + 1, (count, 3), generator=generator)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3 * CHUNK), st.integers(0, 1000))
def test_an_ngram_gets_the_same_bits_in_any_company(
    encoder: NgramEncoder, count: int, seed: int
) -> None:
    grams = _grams(count, encoder, seed)
    together = encoder.compute(grams)
    pick = seed % count
    assert torch.equal(encoder.compute(grams[pick : pick + 1])[0], together[pick])


def test_the_bundled_shape_too_gets_the_same_bits_in_any_company(bundled: Backbone) -> None:
    encoder = NgramEncoder(bundled).eval()
    grams = _grams(CHUNK + 9, encoder)
    with torch.inference_mode():
        together = encoder.compute(grams)
        for pick in (0, 5, CHUNK - 1, CHUNK + 8):
            assert torch.equal(encoder.compute(grams[pick : pick + 1])[0], together[pick])


def test_what_stands_in_an_absent_slot_changes_nothing(encoder: NgramEncoder) -> None:
    rows = encoder.rows(torch.tensor([[ABSENT, 7, 9], [3, 7, 9]]))
    assert torch.equal(rows[0, 0], torch.zeros(encoder.shape.hidden))
    assert not torch.allclose(rows[0, 1], rows[1, 1], atol=1e-4)


def test_a_token_sums_its_slot_of_the_three_ngrams_around_it(encoder: NgramEncoder) -> None:
    rows = torch.randn(5, 3, encoder.shape.hidden).half()
    packing = Packing.of([3, 2])
    which = torch.tensor([4, 2, 0, 1, 3])
    state = encoder.assemble(rows, which, packing)
    middle = rows[2, 1].float() + rows[4, 2].float() + rows[0, 0].float() + encoder.position[1]
    expected = torch.nn.functional.layer_norm(
        middle, (32,), encoder.out_norm, encoder.out_norm_bias, encoder.shape.eps
    )
    assert torch.allclose(state[1], expected, atol=1e-6)
    last = rows[3, 1].float() + rows[1, 2].float() + encoder.position[1]
    expected = torch.nn.functional.layer_norm(
        last, (32,), encoder.out_norm, encoder.out_norm_bias, encoder.shape.eps
    )
    assert torch.allclose(state[4], expected, atol=1e-6)


def test_an_encoder_file_is_read_back_as_it_was_written(
    encoder: NgramEncoder, backbone: Backbone, tmp_path: Path
) -> None:
    save_encoder(encoder, tmp_path / "e.safetensors", {"seed": "0"})
    again = load_encoder(tmp_path / "e.safetensors", backbone)
    grams = _grams(10, encoder)
    assert torch.allclose(again.rows(grams), encoder.rows(grams), atol=2e-2)


def test_a_broken_encoder_file_is_refused_by_name(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"not safetensors at all")
    with pytest.raises(Damaged, match="broken"):
        load_encoder(tmp_path / "broken.safetensors", backbone)


def test_an_encoder_of_another_backbone_is_refused(
    encoder: NgramEncoder, bundled: Backbone, tmp_path: Path
) -> None:
    save_encoder(encoder, tmp_path / "small.safetensors", {})
    with pytest.raises(Unavailable, match="another backbone"):
        load_encoder(tmp_path / "small.safetensors", bundled)


def test_the_shipped_encoder_fits_the_bundled_backbone_and_says_how_it_was_made(
    bundled: Backbone,
) -> None:
    from safetensors import safe_open

    from engine.config import assets_dir

    path = assets_dir() / "encoder" / "general.safetensors"
    load_encoder(path, bundled)
    assert path.stat().st_size <= 20_000_000
    with safe_open(path, framework="pt") as file:
        made = file.metadata()
    assert "engine.knowledge.distil" in made["command"]
    assert {"corpus", "corpus_sha256", "seed", "tokens", "error"} <= set(made)
