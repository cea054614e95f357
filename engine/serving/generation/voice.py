"""A sequence that lives in the batch: its place in the cache, its adapter, its text so far."""

from __future__ import annotations

import time

from engine.knowledge.generation import Sequence, Turn
from engine.knowledge.origins import origins
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.retrieved import Lookups, Retrieved
from engine.serving.generation.continuation import Continuation
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.order import Ended, Order, Read, Said, Way
from engine.serving.generation.sampling import Drawing, Drawn


class Voice:
    """Grows by `hear`, once a token."""

    __slots__ = ("_begun", "_first", "_lookups", "_read", "_text", "order", "sequence", "way")

    def __init__(self, order: Order, sequence: Sequence, way: Way, tokens: TokenBytes) -> None:
        self.order = order
        self.sequence = sequence
        self.way = way
        self._text = Continuation(order.ending, tokens)
        self._begun = time.perf_counter()
        self._first = 0.0
        self._lookups: Lookups | None = None
        self._read: list[Read] = []

    @property
    def tenant(self) -> str:
        return self.order.tenant

    @property
    def left(self) -> int:
        return self.sequence.left

    @property
    def speaks(self) -> bool:
        return bool(self._text.said)

    @property
    def ended(self) -> bool:
        return self._text.finish is not None

    def drawing(self) -> Drawing:
        return Drawing(self.order.settings, self.order.prompt, self._text.said)

    def looked_up(self, knowledge: Knowledge, found: Lookups) -> None:
        """Where the rows of its latest tokens came from, which its domain counts too."""
        knowledge.traffic.add(found)
        self._lookups = found if self._lookups is None else self._lookups + found

    def read(self, knowledge: Knowledge, turn: Turn, rows: Retrieved) -> None:
        """The same token by token, for an order that asks to explain."""
        before = turn.before(knowledge.encoder.boundary)
        told = origins(turn.ids, rows, knowledge, before=before)
        self._read += zip(turn.ids, told, strict=True)

    def hear(self, drawn: Drawn) -> Said:
        """Take the next token."""
        now = time.perf_counter()
        self._first = self._first or now
        piece = self._text.push(drawn.token)
        read, self._read = tuple(self._read), []
        if piece.finish is None:
            self.sequence = self.sequence.said(drawn.token)
            return Said(drawn, piece, read=read)
        accepted = self.order.accepted
        ended = Ended(
            self.way,
            self._lookups,
            queue_s=self._begun - accepted,
            first_token_s=self._first - accepted,
            total_s=now - accepted,
        )
        return Said(drawn, piece, ended, read)
