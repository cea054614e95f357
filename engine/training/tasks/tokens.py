"""A label for each word, and with them the spans of a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.errors import BadInput
from engine.model.backbone import Backbone
from engine.model.packing import Packing
from engine.model.reading import Reading, read_words
from engine.model.tagging import Span, Tagging
from engine.training.tasks.headed import Headed
from engine.training.tasks.multilabel import f1
from engine.training.tasks.task import Score


class Tokens(Headed):
    """Rows of (text, spans); a word's label is read off its first token."""

    metric = "span F1"
    scale = None

    def __init__(
        self, labels: tuple[str, ...], rows: Sequence[tuple[str, tuple[Span, ...]]]
    ) -> None:
        self._tagging = Tagging(labels)
        self._rows = rows
        self._readings: list[Reading] = []
        self._targets: list[list[int]] = []

    @property
    def outputs(self) -> int:
        return len(self._tagging.labels)

    @property
    def groups(self) -> NDArray[np.int64]:
        """With and without spans."""
        return np.array([bool(spans) for _, spans in self._rows], dtype=np.int64)

    def readings(self, backbone: Backbone) -> list[Reading]:
        self._readings = read_words(backbone, [text for text, _ in self._rows])
        self._targets = [
            self._tagging.tags(reading.offsets, spans)
            for reading, (_, spans) in zip(self._readings, self._rows, strict=True)
        ]
        for number, (targets, reading) in enumerate(
            zip(self._targets, self._readings, strict=True), start=1
        ):
            if -1 in targets:
                start, end = reading.offsets[targets.index(-1)]
                raise BadInput(
                    f"In row {number} the word {self._rows[number - 1][0][start:end]!r} has no "
                    "label, and the vPLM has none for words outside all spans.",
                    remedy='Create the vPLM with "O" among its labels, or label every word.',
                    code="unlabelled_word",
                )
        return self._readings

    def pool(self, top: Tensor, packing: Packing, rows: Sequence[int], /) -> Tensor:
        starts = (torch.cumsum(packing.lengths, 0) - packing.lengths).tolist()
        places = [
            start + word
            for start, row in zip(starts, rows, strict=True)
            for word in self._readings[row].words
        ]
        return top[torch.tensor(places, dtype=torch.int64, device=top.device)].float()

    def loss(self, logits: Tensor, rows: Sequence[int], /) -> Tensor:
        wanted = torch.tensor([tag for row in rows for tag in self._targets[row]])
        if not len(wanted):
            return logits.sum()
        return F.cross_entropy(logits, wanted.to(logits.device))

    def score(self, logits: Tensor, rows: Sequence[int], /) -> Score:
        found = logits.argmax(-1).tolist()
        at = hits = said = there = right = 0
        for row in rows:
            targets = self._targets[row]
            tags = found[at : at + len(targets)]
            at += len(targets)
            gold, mine = (set(self._tagging.stretches(each)) for each in (targets, tags))
            hits, said, there = hits + len(gold & mine), said + len(mine), there + len(gold)
            right += sum(a == b for a, b in zip(targets, tags, strict=True))
        value = f1(hits, said, there)
        measures = {
            "span_f1": value,
            "precision": hits / said if said else 0.0,
            "recall": hits / there if there else 0.0,
            "word_accuracy": right / at if at else 0.0,
        }
        return Score(value, measures)
