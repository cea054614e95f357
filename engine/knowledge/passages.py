"""A corpus as token rows for distillation: cut into windows, gathered into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from engine.model.backbone import Backbone

_BLOCK = 512
_POOL = 2048


def windows(backbone: Backbone, lines: Iterable[str], length: int) -> list[list[int]]:
    """Token rows of at most `length`, long lines cut into several (each with its own edges)."""
    rows: list[list[int]] = []
    block: list[str] = []

    def flush() -> None:
        for ids in backbone.tokenize(block):
            first, last, body = ids[0], ids[-1], ids[1:-1]
            starts = range(0, len(body), length - 2)
            rows.extend([first, *body[at : at + length - 2], last] for at in starts)
        block.clear()

    for line in lines:
        block.append(line)
        if len(block) == _BLOCK:
            flush()
    flush()
    return rows


def groups(
    which: list[int], lengths: list[int], tokens: int, rng: np.random.Generator
) -> Iterator[list[int]]:
    """One pass over the rows `which`: batches of about `tokens`, neighbours in length together,
    in random order."""
    order = rng.permutation(len(which))
    for start in range(0, len(order), _POOL):
        part = sorted((which[i] for i in order[start : start + _POOL]), key=lengths.__getitem__)
        batches: list[list[int]] = [[]]
        size = 0
        for row in part:
            if size + lengths[row] > tokens and batches[-1]:
                batches.append([])
                size = 0
            batches[-1].append(row)
            size += lengths[row]
        for index in rng.permutation(len(batches)):
            yield batches[index]
