"""A small real backbone: random weights of the BERT family, written and loaded as any checkpoint.

The bundled backbone takes seconds to load; tests of mechanisms do not need its knowledge. Those
that do ask for `bundled`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.knowledge.view import TableView
from engine.model.backbone import Backbone, load_backbone
from engine.model.ngram_encoder import NgramEncoder

WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "!", "?"),
    *("the", "a", "good", "bad", "film", "movie", "was", "is", "very", "not", "dull", "great"),
    *("plot", "invoice", "refund", "parcel", "late", "money", "back", "please", "thanks", "my"),
    *("order", "card", "bank", "account", "it", "and"),
]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder: 4 layers of 32, 4 heads, a vocabulary of a few words."""
    transformers: Any = importlib.import_module("transformers")
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=24,
    )
    model = transformers.BertModel(config, add_pooling_layer=False)
    with torch.no_grad():
        # Wider than the usual start, so that answers differ by more than rounding.
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    # A vocabulary that was not read would leave every word unknown, and no test would say so.
    assert len(tokenizer) == len(WORDS)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def backbone(checkpoint: Path) -> Backbone:
    return load_backbone(checkpoint, split=2)


@pytest.fixture(scope="session")
def bundled() -> Backbone:
    """The backbone that ships: all-MiniLM-L6-v2."""
    return load_backbone()


@pytest.fixture(scope="session")
def encoder(backbone: Backbone) -> NgramEncoder:
    torch.manual_seed(1)
    made = NgramEncoder(backbone).eval().requires_grad_(requires_grad=False)
    made.position.normal_(0.0, 0.1)
    made.gate.normal_(0.0, 0.1)
    return made


@pytest.fixture
def empty_view() -> TableView:
    return TableView("general", (), 32)
