from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from engine.errors import Damaged, Unavailable
from engine.knowledge.encoder_file import (
    bundled_file,
    general_hplm,
    load_encoder,
    load_hplm,
    pack_encoder,
    save_hplm,
)
from engine.knowledge.hplm import Hplm
from engine.model.backbone import Backbone
from engine.model.bridge import Bridge
from engine.model.ngram_encoder import NgramEncoder

SHIPPED_SPLIT = 4
MOST_BYTES = 20_000_000


@pytest.fixture
def general(hplm: Hplm, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_hplm(hplm, path, {"command": "for tests"})
    return path


def _save_own(encoder: NgramEncoder, bridge: Bridge, path: Path) -> Path:
    tensors, metadata = pack_encoder(encoder, bridge, {})
    save_file(tensors, path, metadata=metadata)
    return path


def _same_but_for_rounding(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(t.half(), theirs[name].half()) for name, t in first.state_dict().items())


def test_what_was_written_is_read_back_as_float16(
    hplm: Hplm, general: Path, backbone: Backbone
) -> None:
    again = load_hplm(general, backbone)
    assert _same_but_for_rounding(hplm.encoder, again.encoder)
    assert _same_but_for_rounding(hplm.bridge, again.bridge)
    assert again.encoder.form == hplm.encoder.form
    assert not any(p.requires_grad for p in again.encoder.parameters())
    assert not any(p.requires_grad for p in again.bridge.parameters())


def test_what_was_read_once_is_the_same_whenever_it_is_written_and_read_again(
    general: Path, backbone: Backbone, tmp_path: Path
) -> None:
    first = load_hplm(general, backbone)
    save_hplm(first, tmp_path / "second.safetensors", {})
    second = load_hplm(tmp_path / "second.safetensors", backbone)
    assert second.encoder.fingerprint() == first.encoder.fingerprint()
    assert second.bridge.fingerprint() == first.bridge.fingerprint()


@pytest.mark.parametrize("widths", [((64, 24), (16,)), ((8,), (32, 48))], ids=str)
def test_a_file_says_what_form_it_has(
    backbone: Backbone, tmp_path: Path, widths: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    made = Hplm.untrained(backbone, *widths)
    save_hplm(made, tmp_path / "x.safetensors", {"seed": "3"})
    again = load_hplm(tmp_path / "x.safetensors", backbone)
    assert (again.encoder.form.widths, again.bridge.widths) == widths
    with safe_open(tmp_path / "x.safetensors", framework="pt") as file:
        assert file.metadata()["seed"] == "3"


def test_an_own_encoder_is_read_below_the_bridge_it_was_trained_with_and_no_other(
    encoder: NgramEncoder, bridge: Bridge, backbone: Backbone, tmp_path: Path
) -> None:
    path = _save_own(encoder, bridge, tmp_path / "own.safetensors")
    again = load_encoder(path, backbone, bridge)
    assert _same_but_for_rounding(encoder, again)
    assert not any(p.requires_grad for p in again.parameters())
    with pytest.raises(Unavailable, match="another general one") as caught:
        load_encoder(path, backbone, Bridge(backbone))
    assert caught.value.code == "encoder_mismatch"
    assert "--train-minutes" in caught.value.remedy


def test_an_own_encoder_is_no_general_file(
    encoder: NgramEncoder, bridge: Bridge, backbone: Backbone, tmp_path: Path
) -> None:
    path = _save_own(encoder, bridge, tmp_path / "own.safetensors")
    with pytest.raises(Damaged, match="bridge"):
        load_hplm(path, backbone)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"], ids=["empty", "text"])
def test_a_broken_file_is_refused_by_name(
    backbone: Backbone, bridge: Bridge, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    for read in (load_hplm, lambda p, b: load_encoder(p, b, bridge)):
        with pytest.raises(Damaged, match="broken") as caught:
            read(path, backbone)
        assert caught.value.code == "encoder_damaged"
    path.unlink()
    with pytest.raises(Damaged, match="broken"):
        load_hplm(path, backbone)


def test_a_file_for_another_backbone_split_or_form_is_refused(
    general: Path, backbone: Backbone, bundled: Backbone, tmp_path: Path
) -> None:
    for other in (bundled, replace(backbone, split=1)):
        with pytest.raises(Unavailable, match="another backbone, split or form") as caught:
            load_hplm(general, other)
        assert caught.value.code == "encoder_mismatch"
        assert "hmi domain rebuild general --train-minutes" in caught.value.remedy
    save_file({"x": torch.zeros(1)}, tmp_path / "alien.safetensors")
    with pytest.raises(Unavailable, match="alien"):
        load_hplm(tmp_path / "alien.safetensors", backbone)


def test_without_a_file_for_the_backbone_nobody_may_use_what_stands_in(
    backbone: Backbone, general: Path
) -> None:
    stand_in, damage = general_hplm(None, backbone)
    assert damage is not None
    assert damage.code == "no_encoder"
    assert "--train-minutes" in damage.remedy
    assert stand_in.encoder.form.split == backbone.split
    assert general_hplm(general, backbone)[1] is None


def test_the_shipped_encoder_fits_the_bundled_backbone_and_says_how_it_was_made(
    bundled: Backbone,
) -> None:
    """Trained by the operator's own command on the general corpus alone."""
    path = bundled_file(SHIPPED_SPLIT)
    found, damage = general_hplm(None, replace(bundled, split=SHIPPED_SPLIT))
    assert damage is None
    assert found.encoder.form.split == SHIPPED_SPLIT
    assert path.stat().st_size <= MOST_BYTES
    with safe_open(path, framework="pt") as file:
        made = file.metadata()
    assert made["command"].startswith("hmi domain rebuild general --train-minutes ")
    assert {"corpus_sha256", "seed", "tokens", "error", "error_top", "torch"} <= set(made)
    assert 0 < float(made["error"]) < 0.5
