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

    __slots__ = (
        "_begun",
        "_compute_s",
        "_first",
        "_fullest",
        "_load_s",
        "_lookups",
        "_read",
        "_retrieve_s",
        "_text",
        "order",
        "sequence",
        "way",
    )

    def __init__(
        self, order: Order, sequence: Sequence, way: Way, tokens: TokenBytes, load_s: float
    ) -> None:
        """`load_s`: how long it waited for its adapter's slot."""
        self.order = order
        self.sequence = sequence
        self.way = way
        self._text = Continuation(order.ending, tokens)
        self._begun = time.perf_counter()
        self._first = 0.0
        self._lookups: Lookups | None = None
        self._read: list[Read] = []
        self._load_s = load_s
        self._retrieve_s = self._compute_s = 0.0
        self._fullest = (0, 0)

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
        self._first = self._first or time.perf_counter()
        piece = self._text.push(drawn.token)
        read, self._read = tuple(self._read), []
        if piece.finish is None:
            self.sequence = self.sequence.said(drawn.token)
        return Said(drawn, piece, read=read)

    def took_part(self, retrieve_s: float, compute_s: float, texts: int, models: int) -> None:
        """In a round of `texts` of so many vPLMs, which took so long."""
        self._retrieve_s += retrieve_s
        self._compute_s += compute_s
        self._fullest = max(self._fullest, (texts, models))

    def end(self) -> Ended:
        """What it took, now that it is over."""
        accepted, (texts, models) = self.order.accepted, self._fullest
        return Ended(
            self.way,
            self._lookups,
            queue_s=self._begun - self._load_s - accepted,
            first_token_s=self._first - accepted,
            total_s=time.perf_counter() - accepted,
            load_s=self._load_s,
            retrieve_s=self._retrieve_s,
            compute_s=self._compute_s,
            batch_size=texts,
            batch_models=models,
        )
