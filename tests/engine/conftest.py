"""A small real backbone: random weights of the BERT family, written and loaded as any checkpoint.

The bundled backbone takes seconds to load; tests of mechanisms do not need its knowledge. Those
that do ask for `bundled`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.knowledge.hplm import Hplm
from engine.knowledge.view import TableView
from engine.model.backbone import Backbone, load_backbone
from engine.model.bridge import Bridge
from engine.model.decoder import Decoder, load_decoder
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
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), layers=4)


def write_checkpoint(
    folder: Path, layers: int, *, hidden: int = 32, seed: int = 0, words: Sequence[str] = WORDS
) -> Path:
    """The checkpoint of a random model of that many layers, in `folder`."""
    transformers: Any = importlib.import_module("transformers")
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=hidden,
        num_hidden_layers=layers,
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
    assert len(tokenizer) == len(words)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoder_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of the GPT-2 family: 4 layers of 32, 4 heads, tokens of bytes."""
    return write_decoder(tmp_path_factory.mktemp("decoder"))


def write_decoder(folder: Path) -> Path:
    """The checkpoint of a random one, in `folder`."""
    transformers: Any = importlib.import_module("transformers")
    tokenizers: Any = importlib.import_module("tokenizers")
    bpe = tokenizers.ByteLevelBPETokenizer()
    bpe.train_from_iterator([" ".join(WORDS)], vocab_size=300, special_tokens=["<|endoftext|>"])
    bpe.save(str(folder / "tokenizer.json"))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        eos_token="<|endoftext|>",
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=4,
        n_head=4,
        n_positions=48,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoder(decoder_checkpoint: Path) -> Decoder:
    return load_decoder(decoder_checkpoint, split=2)


@pytest.fixture(scope="session")
def decoder_hplm(decoder: Decoder) -> Hplm:
    """A causal one whose bridge has learnt something about positions."""
    torch.manual_seed(3)
    made = Hplm.untrained(decoder)
    with torch.no_grad():
        for parameter in (*made.encoder.parameters(), *made.bridge.parameters()):
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.freeze()


@pytest.fixture(scope="session")
def backbone(checkpoint: Path) -> Backbone:
    return load_backbone(checkpoint, split=2)


@pytest.fixture(scope="session")
def brief_backbone(checkpoint: Path) -> Backbone:
    """The same weights as a machine that computes in bfloat16 serves them."""
    return load_backbone(checkpoint, split=2, dtype=torch.bfloat16)


@pytest.fixture(scope="session")
def bundled() -> Backbone:
    """The backbone that ships: all-MiniLM-L6-v2."""
    return load_backbone()


@pytest.fixture(scope="session")
def encoder(backbone: Backbone) -> NgramEncoder:
    torch.manual_seed(1)
    return NgramEncoder(backbone).freeze()


@pytest.fixture(scope="session")
def bridge(backbone: Backbone) -> Bridge:
    torch.manual_seed(2)
    made = Bridge(backbone).freeze()
    with torch.no_grad():
        made.position.normal_(0.0, 0.1)
    return made


@pytest.fixture(scope="session")
def hplm(encoder: NgramEncoder, bridge: Bridge) -> Hplm:
    return Hplm(encoder, bridge)


@pytest.fixture
def empty_view() -> TableView:
    return TableView("general", (), 32)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """The test runs with as many math threads, once with each number."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
