"""Where each token's row came from, told for those who ask; the batch's own view says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.knowledge.index import MISS
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.retrieved import Retrieved
from engine.model.ngrams import order, pack, shortened_keys

Source = Literal["table", "backed_off", "cached", "computed"]


@dataclass(frozen=True, slots=True)
class Origin:
    """`node` is the domain whose table had the row, None for a row that was computed."""

    source: Source
    node: str | None


def origins(
    ids: Sequence[int],
    found: Retrieved,
    knowledge: Knowledge,
    second: int = 0,
    before: tuple[int, int] | None = None,
) -> tuple[Origin, ...]:
    """Of every token of one text `ids`, for which `found` was retrieved from `knowledge`; a second
    text begins at `second`, unless that is 0. Of a text that goes on, `before` are the two tokens
    in front, the farther first.

    The view does not change, so that asking it again gives the rows that the batch got.
    """
    view = knowledge.view
    text = np.array(ids, dtype=np.int64)
    length, pair = np.array([len(ids)], dtype=np.int64), np.array([second], dtype=np.int64)
    front = None if before is None else np.array([before], dtype=np.int64)
    grams = knowledge.encoder.grams(text, length, front, pair if second else None)
    keys = pack(grams)
    rows = view.find(keys)
    for _ in range(2):
        missed = np.flatnonzero(found.backed_off & (rows == MISS) & (order(keys) > 1))
        keys[missed] = shortened_keys(keys[missed])
        rows[missed] = view.find(keys[missed])
    told: list[Origin] = []
    for hit, shorter, cached, row in zip(
        found.hit, found.backed_off, found.cached, rows, strict=True
    ):
        node = None if row == MISS else view.source(int(row))
        if hit:
            told.append(Origin("table", node))
        elif shorter:
            told.append(Origin("backed_off", node))
        else:
            told.append(Origin("cached" if cached else "computed", None))
    return tuple(told)
