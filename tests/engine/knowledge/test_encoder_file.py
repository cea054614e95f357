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
    load_hplm,
    pack_hplm,
    save_hplm,
)
from engine.knowledge.hplm import Hplm
from engine.model.backbone import Backbone

SHIPPED_SPLIT = 4
MOST_BYTES = 20_000_000


@pytest.fixture
def general(hplm: Hplm, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    save_hplm(hplm, path, {"command": "for tests"})
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


def test_a_file_without_a_bridge_is_refused(hplm: Hplm, general: Path, backbone: Backbone) -> None:
    tensors, metadata = pack_hplm(hplm, {})
    half = {name: t for name, t in tensors.items() if not name.startswith("bridge.")}
    save_file(half, general, metadata=metadata)
    with pytest.raises(Damaged, match="bridge"):
        load_hplm(general, backbone)


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"], ids=["empty", "text"])
def test_a_broken_file_is_refused_by_name(
    backbone: Backbone, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "broken.safetensors"
    path.write_bytes(content)
    with pytest.raises(Damaged, match="broken") as caught:
        load_hplm(path, backbone)
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
        assert f"--backbone {other.checkpoint.name}" in caught.value.remedy
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
