from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.errors import BadInput, Damaged, HmiError, NotFound
from engine.model import checkpoint as checkpoints
from engine.model.backbone import Backbone, load_backbone, pick_device, pick_dtype
from engine.model.packing import Packing


def _reference(folder: Path, rows: list[list[int]]) -> list[torch.Tensor]:
    """What transformers answers for each row, padded together as its users do."""
    transformers: Any = importlib.import_module("transformers")
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return [hidden[i, : len(row)] for i, row in enumerate(rows)]


def _ours(backbone: Backbone, rows: list[list[int]]) -> list[torch.Tensor]:
    packing = Packing.of([len(row) for row in rows])
    ids = torch.tensor([token for row in rows for token in row])
    with torch.no_grad():
        hidden = backbone.upper(backbone.lower(ids, packing), packing)
    return list(torch.split(hidden, [len(row) for row in rows]))


@pytest.mark.parametrize(
    "texts",
    [
        ["the film was very good"],
        ["good film", "bad film"],
        ["good", "the movie was not very bad , it was great !", "my order is late"],
    ],
    ids=["one row", "even rows", "ragged rows"],
)
def test_the_own_layer_stack_equals_transformers(
    checkpoint: Path, backbone: Backbone, texts: list[str]
) -> None:
    rows = backbone.tokenize(texts)
    for ours, theirs in zip(_ours(backbone, rows), _reference(checkpoint, rows), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_bundled_backbone_equals_transformers_and_is_the_published_file(
    bundled: Backbone,
) -> None:
    assert bundled.checkpoint.sha256 == checkpoints.BUNDLED_SHA256
    rows = bundled.tokenize(["a gorgeous, witty, seductive movie", "no", "refund me " * 30])
    theirs = _reference(bundled.checkpoint.folder, rows)
    for ours, reference in zip(_ours(bundled, rows), theirs, strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)


def test_a_text_longer_than_the_backbone_reads_is_cut_and_said_so(backbone: Backbone) -> None:
    [long] = backbone.tokenize(["good film " * 40])
    kept, cut = backbone.cut(long)
    assert cut
    assert len(kept) == backbone.max_tokens
    assert kept[-1] == long[-1]
    assert backbone.cut(long[:5]) == (long[:5], False)


def test_a_bundled_file_with_another_checksum_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "bundled_folder", lambda: checkpoint)
    with pytest.raises(Damaged, match="not the published") as caught:
        load_backbone()
    assert caught.value.code == "backbone_damaged"
    assert "pip install" in caught.value.remedy


def test_a_corrupted_checkpoint_is_refused_by_name(checkpoint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(Damaged, match="broken"):
        load_backbone(broken)


def test_a_checkpoint_that_lacks_a_weight_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    lacking = tmp_path / "lacking"
    shutil.copytree(checkpoint, lacking)
    state = load_file(lacking / "model.safetensors")
    del state["encoder.layer.1.output.dense.weight"]
    save_file(state, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Damaged, match=r"encoder\.layer\.1\.output\.dense\.weight"):
        load_backbone(lacking)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"model_type": "t5"}, BadInput, "BERT family"),
        ({"hidden_act": "relu"}, BadInput, "activation"),
        ({"hidden_size": None}, Damaged, "how large the model is"),
        ({"type_vocab_size": "two"}, Damaged, "how large the model is"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(
    checkpoint: Path, tmp_path: Path, change: dict[str, object], error: type[HmiError], word: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(error, match=word):
        load_backbone(other)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"model\.safetensors"):
        load_backbone(tmp_path)


def test_a_split_outside_the_layers_is_refused(checkpoint: Path) -> None:
    with pytest.raises(BadInput, match="split 4"):
        load_backbone(checkpoint, split=4)


@pytest.mark.parametrize("name", ["tpu9", "cuda:77x", "meta"])
def test_a_device_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        pick_device(name)


def test_the_cpu_is_a_device_with_a_dtype() -> None:
    assert pick_dtype(pick_device("cpu")) in (torch.float32, torch.bfloat16)
