"""What is generated from: a checkpoint that is there or made up, and passages of a text."""

from __future__ import annotations

import gzip
import importlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import torch

from engine.bench.ending import throwaway_folder
from engine.config import assets_dir
from engine.model.decoder import Decoder

_WIDTH = 64
"""Of an attention head of a made-up checkpoint, as GPT-2's are."""


@contextmanager
def checkpoint(
    model: Path | None, shape: str | None, vocabulary: int | None, seed: int
) -> Iterator[Path]:
    """The folder given or the bundled one, or one made up in `shape` with its tokenizer."""
    bundled = assets_dir() / "generator"
    if shape is None:
        yield bundled if model is None else model
        return
    try:
        layers, hidden = map(int, shape.split("x"))
    except ValueError:
        raise click.UsageError(f"--shape is {shape!r}; give LAYERSxHIDDEN, as 6x512.") from None
    transformers: Any = importlib.import_module("transformers")
    with throwaway_folder() as parent:
        folder = parent / f"made-{shape}"
        shutil.copytree(bundled, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        config = transformers.GPT2Config.from_pretrained(bundled)
        config.update({"n_layer": layers, "n_embd": hidden, "n_head": max(1, hidden // _WIDTH)})
        config.vocab_size = vocabulary or config.vocab_size
        torch.manual_seed(seed)
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
        yield folder


def prompts_of(decoder: Decoder, text: Path | None, count: int, length: int) -> list[list[int]]:
    """`count` passages of `length` tokens from all over the text, or from the README."""
    path = Path(__file__).parents[3] / "README.md" if text is None else text
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    rows = [row for row in decoder.windows(lines, length) if len(row) == length]
    if len(rows) < count:
        raise click.ClickException(
            f"{path} has {len(rows)} passages of {length} tokens; {count} are needed."
        )
    return [rows[i * len(rows) // count] for i in range(count)]
