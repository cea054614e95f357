"""The bundled generator: whole, small, what its README says, and better than chance."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import torch

from engine.config import assets_dir
from engine.model.decoder import Decoder, load_decoder
from engine.model.packing import Packing
from engine.serving.generation.continuation import Continuation, Ending
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.sampling import Drawing, draw
from engine.serving.generation.settings import SamplingSettings

FOLDER = assets_dir() / "generator"
FILES = {"README.md", "config.json", "model.safetensors", "pretrain.json"}
TOKENIZER = {"tokenizer.json", "tokenizer_config.json"}
LIMIT = 12_000_000


@pytest.fixture(scope="module")
def generator() -> Decoder:
    return load_decoder(FOLDER, split=3)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "pretrain.json").read_text(encoding="utf-8"))
    return loaded


def logits(generator: Decoder, ids: list[int]) -> torch.Tensor:
    packing = Packing.of([len(ids)])
    x = generator.lower(torch.tensor(ids), packing)
    return generator.logits(generator.upper(x, packing))


def nats(generator: Decoder, text: str) -> float:
    """Of the text's tokens behind the token that begins one."""
    assert generator.end is not None
    ids = [generator.end, *generator.tokenize([text])[0]]
    said = logits(generator, ids[:-1]).log_softmax(-1)
    return -float(said[range(len(ids) - 1), ids[1:]].sum())


def test_it_is_whole_and_small() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert set(files) == FILES | TOKENIZER
    assert sum(files.values()) < LIMIT


def test_its_readme_says_what_it_is(report: dict[str, Any]) -> None:
    said = (FOLDER / "README.md").read_text(encoding="utf-8")
    weights = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    for fact in (
        report["corpus_sha256"],
        report["valid"]["sha256"],
        weights,
        f"{report['tokens_seen']:,}",
        f"{report['parameters']:,}",
        f"{report['valid']['perplexity']:.1f}",
        f"{report['valid']['bits_per_byte']:.2f}",
        f"--tokens {report['tokens_wanted']}",
        f"--seed {report['plan']['seed']}",
    ):
        assert fact in said


@torch.no_grad()
@pytest.mark.parametrize(
    "text",
    [
        "My lord, I will not go to the king to-night.",
        "The town is on the east side of the river, in the north of the county.",
    ],
)
def test_it_takes_english_for_likelier_than_its_words_in_disorder(
    generator: Decoder, text: str
) -> None:
    assert nats(generator, text) < nats(generator, " ".join(reversed(text.split()))) - 5


@torch.no_grad()
def test_it_goes_on_in_words(generator: Decoder) -> None:
    prompt = generator.tokenize(["ROMEO:\nMy"])[0]
    settings = SamplingSettings(seed=7, temperature=0.7, top_p=0.9)
    tokens = TokenBytes.read(generator.tokenizer.backend_tokenizer)
    growing, text = Continuation(Ending(24, 200, (), generator.end), tokens), ""
    while growing.finish is None:
        row = logits(generator, [*prompt, *growing.said])[-1:]
        (drawn,) = draw(row, [Drawing(settings, prompt, growing.said)])
        text += growing.push(drawn.token).text
    found = text.split()
    assert len(found) >= 8
    assert any(word in ("the", "is", "I", "and", "to", "of", "my", "not", "you") for word in found)
