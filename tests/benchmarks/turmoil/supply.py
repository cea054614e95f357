"""Adapters whose answer is known in advance, put into a running engine's store, and taken out."""

from __future__ import annotations

import random
from collections import deque
from pathlib import Path

import torch

from engine.appliance.source import store_adapters
from engine.config import DEFAULT_SPLIT, Paths
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.backbone import load_backbone
from store.blobs import BlobStore
from store.catalogue import Catalogue
from tests.benchmarks.turmoil.book import Known

KINDS = ((2, 8), (8, 40), (32, 16))
"""Rank and labels: batches mix them."""
_BIAS = 30.0
"""Of the answer's label in the head; the others have none."""


class Supply:
    """Makes adapters for the backbone in `checkpoint` (None: the bundled one)."""

    def __init__(self, paths: Paths, checkpoint: Path | None, seed: int) -> None:
        self._paths = paths
        self._backbone = load_backbone(checkpoint, split=DEFAULT_SPLIT)
        self._generator = torch.Generator().manual_seed(seed)
        self._dice = random.Random(seed)
        self._ready: deque[Known] = deque()

    def stock(self, count: int) -> None:
        """Have at least `count` of them in the store, in the catalogue and used by nobody."""
        missing = max(0, count - len(self._ready))
        made: list[Known] = []
        with Catalogue(self._paths.catalogue) as catalogue:
            for kind, (rank, labels) in enumerate(KINDS):
                answers = [self._dice.randrange(labels) for _ in range(kind, missing, len(KINDS))]
                rows = store_adapters(
                    BlobStore(self._paths.blobs),
                    self._backbone,
                    (self._knowing(rank, labels, answer) for answer in answers),
                    domain="general",
                    labels=tuple(map(str, range(labels))),
                    created_by="turmoil",
                )
                catalogue.adapters.add_many(rows)
                made += [
                    Known(row.id, labels, answer) for row, answer in zip(rows, answers, strict=True)
                ]
        self._dice.shuffle(made)
        self._ready.extend(made)

    def take(self) -> Known | None:
        """One that nobody uses yet; None if the stock has run out."""
        return self._ready.popleft() if self._ready else None

    @property
    def left(self) -> int:
        return len(self._ready)

    def damage(self, adapter: Known) -> None:
        """Flip bytes in the middle of its file."""
        with self._file(adapter).open("r+b") as file:
            middle = file.seek(0, 2) // 2
            file.seek(middle)
            old = file.read(8)
            file.seek(middle)
            file.write(bytes(byte ^ 0xFF for byte in old))

    def remove(self, adapter: Known) -> None:
        """Its file vanishes."""
        self._file(adapter).unlink()

    def strays(self) -> set[str]:
        """Once the engine has ended: blobs that the catalogue does not know, and the other way
        round."""
        with Catalogue(self._paths.catalogue) as catalogue:
            return set(BlobStore(self._paths.blobs).ids()) ^ catalogue.blob_ids()

    def _file(self, adapter: Known) -> Path:
        return BlobStore(self._paths.blobs).path(adapter.id)

    def _knowing(self, rank: int, labels: int, answer: int) -> AdapterWeights:
        shape = self._backbone.shape
        upper = AdapterShape(shape.layers - self._backbone.split, shape.hidden, rank)
        made = random_adapter(upper, labels, self._generator)
        bias = torch.zeros(labels)
        bias[answer] = _BIAS
        return AdapterWeights(**{**made.tensors(), "head_bias": bias})
