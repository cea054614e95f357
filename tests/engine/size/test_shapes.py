from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import BadInput
from engine.memory.arena import AdapterArena
from engine.model.adapters import AdapterShape, random_adapter
from engine.model.backbone import Backbone
from engine.model.rows import row_bytes
from engine.size.shapes import ARENA_RANK, BERT_BASE, BUNDLED, Shape, find_shape


def shape_of(backbone: Backbone) -> Shape:
    s = backbone.shape
    return Shape("x", s.layers, backbone.split, s.hidden, s.intermediate, s.vocab, s.positions)


def test_parameters_are_those_that_a_real_backbone_has(backbone: Backbone) -> None:
    assert shape_of(backbone).parameters == pytest.approx(backbone.parameters, rel=0.01)


def test_the_bundled_backbone_and_bert_base_have_their_published_sizes() -> None:
    assert BUNDLED.parameters == pytest.approx(22_565_376, rel=0.001)
    assert BERT_BASE.parameters == pytest.approx(108.9e6, rel=0.001)


def test_slots_and_adapters_have_the_arenas_sizes(backbone: Backbone) -> None:
    import torch

    shape = shape_of(backbone)
    real = AdapterShape(shape.upper, shape.hidden, ARENA_RANK)
    arena = AdapterArena(real, 1 << 20, torch.device("cpu"), torch.float32)
    assert shape.slot_bytes(ARENA_RANK, 4) == arena.slot_bytes
    adapter = random_adapter(real, 3, torch.Generator().manual_seed(0)).to(torch.float16)
    assert shape.adapter_host_bytes(ARENA_RANK, 3) == adapter.nbytes
    assert shape.row_bytes == row_bytes(shape.hidden)


def test_a_checkpoint_of_ones_own_is_read_from_its_config(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 24, "hidden_size": 1024, "intermediate_size": 4096}
    config |= {"vocab_size": 30522, "max_position_embeddings": 512}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert find_shape(str(tmp_path)).upper == 12
    assert find_shape(str(tmp_path), 8).upper == 16


@pytest.mark.parametrize(("backbone", "split"), [("nowhere", None), ("bundled", 6)])
def test_what_is_no_backbone_or_no_split_is_refused(backbone: str, split: int | None) -> None:
    with pytest.raises(BadInput) as refused:
        find_shape(backbone, split)
    assert refused.value.remedy
