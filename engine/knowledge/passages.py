"""A corpus as token rows for distillation: cut into windows, gathered into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from engine.model.backbone import Backbone

_BLOCK = 512
_POOL = 2048
_PIECE = (3, 24)
"""A piece has at least so many tokens and at most."""
_FOREIGN = 0.2
"""Share of the tokens that give way to others."""


def windows(backbone: Backbone, lines: Iterable[str], length: int) -> list[list[int]]:
    """Token rows of at most `length`, as the backbone reads such lines."""
    rows: list[list[int]] = []
    block: list[str] = []

    def flush() -> None:
        rows.extend(backbone.windows(block, length))
        block.clear()

    for line in lines:
        block.append(line)
        if len(block) == _BLOCK:
            flush()
    flush()
    return rows


def vocabulary(backbone: Backbone) -> NDArray[np.int64]:
    """The ids of all tokens that stand for text; not [CLS], [unused7] and their like."""
    tokens: dict[str, int] = backbone.tokenizer.get_vocab()
    if backbone.shape.causal:
        told = [i for i in tokens.values() if i not in backbone.tokenizer.all_special_ids]
    else:
        told = [i for token, i in tokens.items() if not (token[0] == "[" and token[-1] == "]")]
    return np.array(sorted(told), dtype=np.int64)


def varied(row: list[int], vocabulary: NDArray[np.int64], rng: np.random.Generator) -> list[int]:
    """Another passage than the corpus has: a short piece of `row`, or `row` with tokens of the
    whole `vocabulary` strewn in. Its first and last token stay."""
    first, last, body = row[0], row[-1], np.array(row[1:-1], dtype=np.int64)
    if rng.random() < 0.5:
        size = int(rng.integers(*_PIECE, endpoint=True))
        at = int(rng.integers(0, max(1, len(body) - size + 1)))
        body = body[at : at + size]
    else:
        strewn = rng.random(len(body)) < _FOREIGN
        body[strewn] = rng.choice(vocabulary, int(strewn.sum()))
    return [first, *body.tolist(), last]


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
