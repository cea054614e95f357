"""How large things are: backbones, adapters and table entries, in parameters and bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import BadInput

PLACES = 2
"""Bottlenecks in an upper layer."""
ARENA_RANK = 64
"""The highest rank that the device arena takes."""
HEAD_ROWS = 32
"""Labels that a slot is planned for."""

_FLOAT = 4
_HALF = 2
_FILE_OVERHEAD = 1024
_SCALE_BYTES, _KEY_BYTES, _COUNT_BYTES, _INDEX_BYTES = 4, 8, 8, 20


@dataclass(frozen=True, slots=True)
class Shape:
    """A backbone of L layers, the lower `split` from tables; hidden H, feed-forward I."""

    name: str
    layers: int
    split: int
    hidden: int
    intermediate: int
    vocab: int
    positions: int

    @property
    def upper(self) -> int:
        """Layers that are computed for every text, with its adapter."""
        return self.layers - self.split

    @property
    def parameters(self) -> int:
        """Of the backbone, as transformers counts them without a pooler."""
        h, i = self.hidden, self.intermediate
        embeddings = (self.vocab + self.positions + 2) * h + 2 * h
        return embeddings + self.layers * (4 * h * h + 4 * h + 2 * h * i + i + h + 4 * h)

    @property
    def encoder_parameters(self) -> int:
        """Of the n-gram encoder and the bridge: a layer each, its feed-forward halved."""
        h, i = self.hidden, self.intermediate // 2
        layer = 4 * h * h + 4 * h + 2 * h * i + i + h + 4 * h
        return 2 * layer + (self.positions + 8) * h

    @property
    def row_bytes(self) -> int:
        """One row of a table: int8 and its step."""
        return self.hidden + _SCALE_BYTES

    @property
    def entry_disk_bytes(self) -> int:
        return self.row_bytes + _KEY_BYTES + _COUNT_BYTES

    @property
    def entry_memory_bytes(self) -> int:
        """Of an entry whose row is in use: the file is mapped, key, count and index are held."""
        return self.entry_disk_bytes + _INDEX_BYTES

    def adapter_parameters(self, rank: int) -> int:
        h = self.hidden
        return self.upper * PLACES * (2 * h * rank + rank + h)

    def adapter_disk_bytes(self, rank: int, labels: int) -> int:
        """The file: float16 and its header."""
        return self.adapter_host_bytes(rank, labels) + _FILE_OVERHEAD

    def adapter_host_bytes(self, rank: int, labels: int) -> int:
        """In the host tier: float16, with its head."""
        return _HALF * (self.adapter_parameters(rank) + labels * (self.hidden + 1))

    def slot_bytes(self, rank: int, float_bytes: int) -> int:
        """In the device arena: the layers' dtype, and a float32 head."""
        head = HEAD_ROWS * (self.hidden + 1) * _FLOAT
        return self.adapter_parameters(rank) * float_bytes + head


BUNDLED = Shape("all-MiniLM-L6-v2", 6, 4, 384, 1536, 30522, 512)
BERT_BASE = Shape("bert-base", 12, 6, 768, 3072, 30522, 512)


def bert_base_bytes(labels: int) -> int:
    """What a dedicated model of BERT-base's shape takes on disk, in float32 as published, with a
    head of so many labels."""
    return _FLOAT * (BERT_BASE.parameters + labels * (BERT_BASE.hidden + 1))


def find_shape(backbone: str, split: int | None = None) -> Shape:
    """`backbone` is bundled, bert-base or a folder with a BERT's config.json; BadInput otherwise.

    Half of a folder's layers come from tables unless `split` says how many do.
    """
    known = {"bundled": BUNDLED, "bert-base": BERT_BASE}
    shape = known.get(backbone) or _read(Path(backbone))
    if split is None:
        return shape
    if not 1 <= split < shape.layers:
        raise BadInput(
            f"{shape.name} has {shape.layers} layers; {split} of them cannot come from tables.",
            remedy=f"Choose --split from 1 to {shape.layers - 1}.",
        )
    return replace(shape, split=split)


def _read(folder: Path) -> Shape:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        layers = int(config["num_hidden_layers"])
        return Shape(
            folder.name,
            layers,
            max(1, layers // 2),
            int(config["hidden_size"]),
            int(config["intermediate_size"]),
            int(config["vocab_size"]),
            int(config["max_position_embeddings"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{folder} is no backbone of the BERT family: {error}.",
            remedy="Give bundled, bert-base, or the folder of a checkpoint with its config.json.",
        ) from error
