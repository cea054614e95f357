"""A generator on a small decoder whose rounds the test runs itself, and listeners that remember."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from engine.knowledge.hplm import Hplm
from engine.knowledge.retrieve import Knowledge
from engine.knowledge.view import TableView
from engine.memory.arena import AdapterArena
from engine.memory.tiers import AdapterTiers
from engine.model.adapters import AdapterShape, AdapterWeights, random_adapter
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.continuation import Ending
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.lobby import Lobby
from engine.serving.generation.order import Ended, Order, Read, Said, Way
from engine.serving.generation.rounds import RoundRecord, Rounds
from engine.serving.generation.settings import SamplingSettings

EXACT = Way(None)


@dataclass(eq=False)
class Ear:
    """Remembers what it is told."""

    text: str = ""
    tokens: list[int] = field(default_factory=list)
    finish: str | None = None
    ended: Ended | None = None
    error: Exception | None = None
    read: list[Read] = field(default_factory=list)

    def said(self, order: Order, said: Said) -> None:
        assert not self.over, "told after the end"
        self.text += said.piece.text
        self.tokens.append(said.drawn.token)
        self.read += said.read
        self.finish, self.ended = said.piece.finish, said.ended
        assert (self.finish is None) == (self.ended is None)

    def failed(self, order: Order, error: Exception) -> None:
        assert not self.over, "told after the end"
        self.error = error

    @property
    def over(self) -> bool:
        return self.finish is not None or self.error is not None


class Shelf:
    """Adapters of any name; those called "lost" cannot be read."""

    def __init__(self, shape: AdapterShape) -> None:
        self._shape = shape

    def read(self, adapter: str) -> AdapterWeights:
        if adapter.startswith("lost"):
            raise OSError(f"{adapter} is gone")
        generator = torch.Generator().manual_seed(sum(adapter.encode()))
        made = random_adapter(self._shape, 1, generator)
        for tensor in made.tensors().values():
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
        return made


def tiers_of(decoder: Decoder, slots: int) -> AdapterTiers:
    shape = AdapterShape(decoder.shape.layers - decoder.split, decoder.shape.hidden, 4)
    one = AdapterArena(shape, 0, torch.device("cpu"), torch.float32)
    arena = AdapterArena(shape, slots * one.slot_bytes, torch.device("cpu"), torch.float32)
    return AdapterTiers(Shelf(shape), arena, 1 << 20)


def knowledge_of(hplm: Hplm, domain: str = "general") -> Knowledge:
    view = TableView(domain, (), hplm.encoder.shape.hidden)
    return Knowledge(domain, 0, view, hplm.encoder, hplm.bridge)


def order_of(
    decoder: Decoder,
    prompt: Sequence[int],
    max_tokens: int = 4,
    *,
    tenant: str = "acme",
    adapter: str | None = None,
    way: Callable[[], Way] | Way = EXACT,
    stops: tuple[str, ...] = (),
    end: int | None = None,
    sampling: SamplingSettings | None = None,
    explain: bool = False,
) -> tuple[Order, Ear]:
    ear = Ear()
    order = Order(
        tenant,
        tuple(prompt),
        sampling or SamplingSettings(seed=1, temperature=0.0),
        Ending(max_tokens, decoder.max_tokens - len(prompt), stops, end),
        ear,
        (lambda: way) if isinstance(way, Way) else way,
        adapter,
        explain,
    )
    return order, ear


@dataclass(eq=False)
class Choir:
    """Rounds with all that they hold within reach."""

    decoder: Decoder
    slots: int = 3
    pages: int = 64
    budget: int = 16
    limit: int = 10_000
    weights: dict[str, float] = field(default_factory=dict)
    records: list[RoundRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        page = KvPool(1 << 20, self.decoder.shape).page_bytes
        self.pool = KvPool(self.pages * page, self.decoder.shape)
        self.tiers = tiers_of(self.decoder, self.slots)
        self._ready = threading.Event()
        self.tiers.on_ready = self._ready.set
        self.lobby = Lobby(self.limit, self._weight)
        self.rounds = Rounds(
            self.decoder,
            self.pool,
            self.tiers,
            self.lobby,
            TokenBytes.read(self.decoder.tokenizer.backend_tokenizer),
            self._weight,
            on_round=self.records.append,
            budget=self.budget,
        )

    def _weight(self, tenant: str) -> float:
        return self.weights.get(tenant, 1.0)

    def offer(self, *orders: Order) -> None:
        for order in orders:
            if order.adapter is not None:
                self.tiers.want(order.adapter)
            self.lobby.enter([order], 0.0)

    def sing(self, rounds: int = 2_000) -> None:
        """Until nobody has anything left to say."""
        for _ in range(rounds):
            self._ready.clear()
            if self.rounds.step():
                continue
            if not len(self.lobby):
                return
            assert self._ready.wait(10.0), "somebody waits for nothing"
        raise AssertionError("it never ends")

    def sing_until(self, done: Callable[[], bool]) -> None:
        for _ in range(2_000):
            if done():
                return
            self._ready.clear()
            if not self.rounds.step():
                assert self._ready.wait(10.0), "somebody waits for nothing"
        raise AssertionError("it never comes to that")

    def give_up(self, order: Order) -> None:
        order.give_up()
        if self.lobby.leave([order]) and order.adapter is not None:
            self.tiers.unwant(order.adapter)

    def check_nothing_is_held(self) -> None:
        use = self.tiers.use()
        assert (len(self.rounds), len(self.lobby), self.lobby.tokens) == (0, 0, 0)
        assert self.pool.free_pages == self.pool.pages
        assert use["device"].held == 0
        assert use["host"].held == 0


def alone(choir: Choir, order: Order, ear: Ear) -> Ear:
    choir.offer(order)
    choir.sing()
    return ear
