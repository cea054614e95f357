"""Our side: greedy continuations of prompts, each by its own adapter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from engine.knowledge.build import compute_rows
from engine.knowledge.generation import Sequence as Text
from engine.knowledge.generation import advance, begin, look_up
from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import Segment, TableView
from engine.model.batched import SlotWeights
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.model.ngrams import pack

RANK = 64
_BUDGET = 256 << 20

Rows = Sequence[Sequence[int]]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds of the prompts, each one's first token included, and of the steps after them."""

    prefill: float
    decode: float
    said: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def sum(cls, found: Sequence[Timed]) -> Timed:
        said = tuple(row for each in found for row in each.said)
        return cls(sum(each.prefill for each in found), sum(each.decode for each in found), said)


class Generation:
    """Each prompt has the slot of its place, from 1 on."""

    def __init__(
        self, decoder: Decoder, prompts: Rows, tokens: int, adapters: SlotWeights, clock: Clock
    ) -> None:
        self._decoder, self._prompts, self._tokens = decoder, prompts, tokens
        self._adapters, self._clock = adapters, clock
        self._pool = KvPool(_BUDGET, decoder.shape)

    def run(
        self,
        knowledge: Knowledge | None,
        only: slice = slice(None),
        slots: Sequence[int] | None = None,
    ) -> Timed:
        """Of the prompts `only`, in one batch; `slots` in place of their own."""
        slots = range(1, len(self._prompts) + 1) if slots is None else slots
        marks = [self._clock()]
        texts: list[Text] = []
        for slot, ids in list(zip(slots, self._prompts, strict=True))[only]:
            begun = begin(self._decoder, self._pool, ids, self._tokens, knowledge, slot)
            assert begun is not None, "the pool has room for all"
            texts.append(begun)
        for _ in range(self._tokens):
            turns = [text.turn(text.left) for text in texts]
            logits = advance(self._decoder, self._pool, look_up(turns), self._adapters)
            chosen = logits.argmax(-1).tolist()
            texts = [t.over().said(token) for t, token in zip(turns, chosen, strict=True)]
            marks.append(self._clock())
        for text in texts:
            self._pool.free(text.lease)
        said = tuple(text.ids[-self._tokens :] for text in texts)
        return Timed(marks[1] - marks[0], marks[-1] - marks[1], said)

    def in_turn(self, knowledge: Knowledge | None) -> Timed:
        """One text after the other."""
        count = len(self._prompts)
        return Timed.sum([self.run(knowledge, slice(i, i + 1)) for i in range(count)])

    def distinct(self) -> int:
        """How many of the adapters tell themselves from the others by what comes after the first
        prompt: all, or adapters are not what is measured."""
        ids = self._prompts[0]
        turns = []
        for slot in range(1, len(self._prompts) + 1):
            begun = begin(self._decoder, self._pool, ids, 1, None, slot)
            assert begun is not None, "the pool has room for all"
            turns.append(begun.turn(len(ids)))
        logits = advance(self._decoder, self._pool, look_up(turns), self._adapters)
        for turn in turns:
            self._pool.free(turn.sequence.lease)
        return len({tuple(row) for row in logits.tolist()})


def random_adapters(decoder: Decoder, count: int) -> SlotWeights:
    """Distinct ones in slots 1 to `count`, as small as fresh ones are; slot 0 changes nothing."""
    generator = torch.Generator().manual_seed(0)
    shape = decoder.shape
    places = 2 * (shape.layers - decoder.split)
    sizes = ((shape.hidden, RANK), (RANK,), (RANK, shape.hidden), (shape.hidden,))
    parts = [0.01 * torch.randn(places, count + 1, *size, generator=generator) for size in sizes]
    for part in parts:
        part[:, 0] = 0
    return SlotWeights(*(part.to(decoder.dtype) for part in parts))


def no_tables(decoder: Decoder, hplm: Hplm) -> Knowledge:
    """Every row is computed."""
    view = TableView("general", (), decoder.shape.hidden)
    return Knowledge("general", 1, view, hplm.encoder, hplm.bridge)


def tables_of(decoder: Decoder, hplm: Hplm, rows: Rows) -> Knowledge:
    """Tables that have every n-gram of `rows`, and no other."""
    ids = np.array([token for row in rows for token in row], dtype=np.int64)
    keys = np.unique(pack(hplm.encoder.grams(ids, np.array([len(row) for row in rows]))))
    held = compute_rows(hplm.encoder, keys)
    segment = Segment("general", 1, keys, held, np.ones(len(keys), np.int64))
    view = TableView("general", (segment,), decoder.shape.hidden)
    return Knowledge("general", 1, view, hplm.encoder, hplm.bridge)
