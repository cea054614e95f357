"""Weights read straight from the file are those that transformers' own loader finds in it."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.errors import Damaged
from engine.model.backbone import load_backbone
from engine.model.checkpoint import open_checkpoint
from engine.model.decoder import load_decoder
from engine.model.state import read_state

Weights = dict[str, Tensor]
Change = Callable[[Weights], Weights]


def _changed(folder: Path, to: Path, change: Change, **config: bool) -> Path:
    """A copy of the checkpoint in `folder` with other weights in it."""
    shutil.copytree(folder, to)
    if config:
        transformers: Any = importlib.import_module("transformers")
        transformers.AutoConfig.from_pretrained(to, **config).save_pretrained(to)
    weights = change(load_file(to / "model.safetensors"))
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def _theirs(folder: Path, model_class: str, **options: bool) -> Weights:
    transformers: Any = importlib.import_module("transformers")
    loader = getattr(transformers, model_class).from_pretrained
    state: Weights = loader(folder, dtype=torch.float32, **options).state_dict()
    return state


def _ours(folder: Path, family: Any, theirs: Weights) -> Weights:
    sizes = {name: tuple(weight.shape) for name, weight in theirs.items()}
    return read_state(open_checkpoint(folder, family), family, sizes)


def _with_head(weights: Weights) -> Weights:
    """As a BertForMaskedLM of the first years is published."""
    earlier = {
        f"bert.{name}".replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): t
        for name, t in weights.items()
    }
    other = {"cls.predictions.bias": torch.zeros(3), "bert.pooler.dense.bias": torch.zeros(32)}
    return earlier | other


@pytest.mark.parametrize(
    "change",
    [
        dict,
        _with_head,
        lambda weights: {name: t.half() for name, t in weights.items()},
        lambda weights: {name: t.bfloat16() for name, t in weights.items()},
        lambda weights: weights | {"embeddings.position_ids": torch.arange(24)[None]},
    ],
    ids=["plain", "under a head, with the first names", "float16", "bfloat16", "with positions"],
)
def test_an_encoders_weights_are_what_transformers_reads(
    checkpoint: Path, tmp_path: Path, change: Change
) -> None:
    folder = _changed(checkpoint, tmp_path / "other", change)
    theirs = _theirs(folder, "BertModel", add_pooling_layer=False)
    ours = _ours(folder, "bert", theirs)
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        assert ours[name].dtype == torch.float32
        assert torch.equal(ours[name], weight), name
    assert load_backbone(folder, split=2).parameters == sum(t.numel() for t in theirs.values())


def _headless(weights: Weights) -> Weights:
    return {name.removeprefix("transformer."): t for name, t in weights.items()}


def _own_head(weights: Weights) -> Weights:
    return weights | {"lm_head.weight": weights["transformer.wte.weight"] + 1}


def _twice(weights: Weights) -> Weights:
    return weights | {"lm_head.weight": weights["transformer.wte.weight"].clone()}


def _head_alone(weights: Weights) -> Weights:
    rest = dict(weights)
    return {"lm_head.weight": rest.pop("transformer.wte.weight")} | rest


@pytest.mark.parametrize(
    ("change", "tied", "one"),
    [
        (dict, True, True),
        (_headless, True, True),
        (_twice, True, True),
        (_head_alone, True, True),
        (_own_head, True, False),
        (_own_head, False, False),
        (_twice, False, False),
    ],
)
def test_a_decoders_weights_and_head_are_what_transformers_reads(
    decoder_checkpoint: Path, tmp_path: Path, change: Change, tied: bool, one: bool
) -> None:
    folder = _changed(decoder_checkpoint, tmp_path / "other", change, tie_word_embeddings=tied)
    theirs = _theirs(folder, "GPT2LMHeadModel")
    plain = {name.removeprefix("transformer."): t for name, t in theirs.items()}
    ours = _ours(folder, "gpt2", plain)
    assert ours.keys() == plain.keys()
    for name, weight in plain.items():
        assert torch.equal(ours[name], weight), name
    assert (ours["lm_head.weight"] is ours["wte.weight"]) == one
    shared = plain["wte.weight"].numel() if one else 0
    assert load_decoder(folder).parameters == sum(t.numel() for t in plain.values()) - shared


def test_a_head_that_is_not_tied_has_to_be_there(decoder_checkpoint: Path, tmp_path: Path) -> None:
    folder = _changed(decoder_checkpoint, tmp_path / "other", dict, tie_word_embeddings=False)
    with pytest.raises(Damaged, match=r"lacks 1 weights, lm_head\.weight among them"):
        load_decoder(folder)


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (torch.zeros(32, 31), r"float32 \(32, 31\); .* has \(32, 32\)"),
        (torch.zeros(32, 32, dtype=torch.int8), r"int8 \(32, 32\)"),
        (torch.zeros(32, 32, dtype=torch.float8_e4m3fn), r"float8_e4m3fn \(32, 32\)"),
    ],
)
def test_a_weight_that_does_not_fit_is_refused_by_its_name(
    checkpoint: Path, tmp_path: Path, weight: Tensor, said: str
) -> None:
    name = "encoder.layer.1.attention.self.key.weight"
    folder = _changed(checkpoint, tmp_path / "other", lambda weights: weights | {name: weight})
    with pytest.raises(Damaged, match=rf"layer\.1\.attention\.self\.key\.weight in .* is {said}"):
        load_backbone(folder, split=2)


def test_a_file_that_changes_later_changes_no_weight(checkpoint: Path, tmp_path: Path) -> None:
    folder = _changed(checkpoint, tmp_path / "other", dict)
    loaded = load_backbone(folder, split=2)
    before = [t.clone() for layer in loaded.layers for t in layer.tensors().values()]
    before += [t.clone() for t in loaded.embeddings.tensors().values()]
    path = folder / "model.safetensors"
    with path.open("r+b") as file:  # in place: whoever had mapped it would see it
        file.write(b"\xff" * path.stat().st_size)
    after = [t for layer in loaded.layers for t in layer.tensors().values()]
    after += list(loaded.embeddings.tensors().values())
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.slow
def test_loading_imports_none_of_transformers_models(
    checkpoint: Path, decoder_checkpoint: Path
) -> None:
    """They take as long to import as the rest of the engine takes to start."""
    program = (
        "import sys; from pathlib import Path\n"
        "from engine.model.backbone import load_backbone\n"
        "from engine.model.decoder import load_decoder\n"
        "load_backbone(Path(sys.argv[1]), split=2), load_decoder(Path(sys.argv[2]))\n"
        "slow = ('transformers.modeling_utils', 'torch._dynamo', 'scipy', 'sympy')\n"
        "print(*(name for name in slow if name in sys.modules))\n"
    )
    folders = [str(checkpoint), str(decoder_checkpoint)]
    done = subprocess.run(
        [sys.executable, "-c", program, *folders], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
