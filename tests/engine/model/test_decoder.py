from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.errors import BadInput, Damaged, HmiError, NotFound
from engine.model.decoder import Decoder, load_decoder
from engine.model.packing import Packing

TEXTS = [
    ["the film was very good"],
    ["good film", "good film"],
    ["a", "the movie was not very bad , it was great !", "my order is late"],
]


def _reference(folder: Path, rows: list[list[int]]) -> list[torch.Tensor]:
    """The logits of transformers for each row, padded together as its users do."""
    transformers: Any = importlib.import_module("transformers")
    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=mask).logits
    return [logits[i, : len(row)] for i, row in enumerate(rows)]


def _ours(decoder: Decoder, rows: list[list[int]]) -> list[torch.Tensor]:
    packing = Packing.of([len(row) for row in rows])
    ids = torch.tensor([token for row in rows for token in row])
    with torch.no_grad():
        logits = decoder.logits(decoder.upper(decoder.lower(ids, packing), packing))
    return list(torch.split(logits, [len(row) for row in rows]))


@pytest.mark.parametrize("texts", TEXTS, ids=["one row", "even rows", "ragged rows"])
def test_the_own_decoder_stack_equals_transformers(
    decoder_checkpoint: Path, decoder: Decoder, texts: list[str]
) -> None:
    rows = decoder.tokenize(texts)
    theirs = _reference(decoder_checkpoint, rows)
    for ours, reference in zip(_ours(decoder, rows), theirs, strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)
        assert reference.std() > 0.1


def test_a_head_of_its_own_serves_too(decoder_checkpoint: Path, tmp_path: Path) -> None:
    untied = tmp_path / "untied"
    shutil.copytree(decoder_checkpoint, untied)
    config = json.loads((untied / "config.json").read_text())
    (untied / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
    state = load_file(untied / "model.safetensors")
    state["lm_head.weight"] = torch.randn_like(state["transformer.wte.weight"])
    save_file(state, untied / "model.safetensors", metadata={"format": "pt"})
    decoder = load_decoder(untied)
    rows = decoder.tokenize(TEXTS[2])
    for ours, reference in zip(_ours(decoder, rows), _reference(untied, rows), strict=True):
        assert torch.allclose(ours, reference, atol=1e-5)
    tied = load_decoder(decoder_checkpoint)
    assert decoder.parameters == tied.parameters + decoder.head.numel()


def test_the_split_leaves_upper_layers_that_adapters_reach_at_both_places(decoder: Decoder) -> None:
    reached: list[tuple[int, str]] = []

    def adapt(x: torch.Tensor, layer: int, place: str) -> torch.Tensor:
        reached.append((layer, place))
        return x

    packing = Packing.of([3])
    with torch.no_grad():
        decoder.upper(decoder.lower(torch.tensor([5, 6, 7]), packing), packing, adapt)
    assert reached == [(u, place) for u in range(2) for place in ("attention", "feed_forward")]


@pytest.mark.parametrize("place", range(1, 12))
def test_a_later_token_changes_no_earlier_logit(decoder: Decoder, place: int) -> None:
    [row] = decoder.tokenize(["the movie was not very bad , it was great"])
    assert len(row) > place
    other = [*row[:place], (row[place] + 1) % decoder.shape.vocab, *row[place + 1 :]]
    [before], [after] = _ours(decoder, [row]), _ours(decoder, [other])
    assert torch.allclose(before[:place], after[:place], atol=1e-6)
    assert not torch.allclose(before[place], after[place], atol=1e-3)


def test_a_prompt_longer_than_the_context_is_cut_at_its_end_and_said_so(decoder: Decoder) -> None:
    ids = list(range(60))
    kept, cut = decoder.cut(ids)
    assert cut
    assert kept == ids[: decoder.max_tokens]
    assert decoder.cut(ids[:5]) == (ids[:5], False)


def test_it_knows_the_token_that_ends_a_text(decoder: Decoder) -> None:
    assert decoder.end is not None
    assert decoder.tokenizer.convert_ids_to_tokens(decoder.end) == "<|endoftext|>"


def test_a_checkpoint_that_lacks_a_weight_is_refused_by_its_name(
    decoder_checkpoint: Path, tmp_path: Path
) -> None:
    lacking = tmp_path / "lacking"
    shutil.copytree(decoder_checkpoint, lacking)
    state = load_file(lacking / "model.safetensors")
    del state["transformer.h.1.mlp.c_fc.weight"]
    save_file(state, lacking / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Damaged, match=r"h\.1\.mlp\.c_fc\.weight"):
        load_decoder(lacking)


def test_a_checkpoint_cut_short_is_refused(decoder_checkpoint: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(decoder_checkpoint, broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(Damaged, match="broken"):
        load_decoder(broken)


def test_a_checkpoint_without_its_tokenizer_is_refused(
    decoder_checkpoint: Path, tmp_path: Path
) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(decoder_checkpoint, mute)
    for file in mute.glob("*token*"):
        file.unlink()
    with pytest.raises(Damaged, match="mute") as caught:
        load_decoder(mute)
    assert caught.value.remedy


def test_a_folder_without_weights_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"model\.safetensors") as caught:
        load_decoder(tmp_path)
    assert "GPT-2 family" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"model_type": "bert"}, BadInput, "GPT-2 family"),
        ({"activation_function": "relu"}, BadInput, "activation_function"),
        ({"scale_attn_by_inverse_layer_idx": True}, BadInput, "scale_attn_by_inverse_layer_idx"),
        ({"n_embd": None}, Damaged, "how large"),
    ],
)
def test_a_checkpoint_of_another_form_is_refused(
    decoder_checkpoint: Path,
    tmp_path: Path,
    change: dict[str, Any],
    error: type[HmiError],
    word: str,
) -> None:
    other = tmp_path / "other"
    shutil.copytree(decoder_checkpoint, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(error, match=word):
        load_decoder(other)


@pytest.mark.parametrize("split", [0, 4])
def test_both_halves_have_a_layer(decoder_checkpoint: Path, split: int) -> None:
    with pytest.raises(BadInput, match="does not fit"):
        load_decoder(decoder_checkpoint, split=split)
