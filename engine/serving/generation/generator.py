"""The thread that generates, and the one door to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import Unavailable
from engine.knowledge.retrieve import MissPolicy
from engine.memory.tiers import AdapterTiers
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.lobby import Lobby
from engine.serving.generation.order import Order
from engine.serving.generation.rounds import ROUND_TOKENS, RoundRecord, Rounds

log = logging.getLogger(__name__)

QUEUE_TOKENS = 200_000
_SHARE = 0.1
"""Of the latest round in the speed that is told."""


@dataclass(frozen=True, slots=True)
class GeneratorUse:
    """Of now; bytes are the cache's."""

    waiting: int
    waiting_tokens: int
    living: int
    cache_used: int
    cache_bytes: int
    tokens_per_s: float
    """Of rounds, prompts and all; 0 before the first."""


class Generator:
    """Thread-safe. `start` once, `stop` once."""

    def __init__(
        self,
        decoder: Decoder,
        pool: KvPool,
        tiers: AdapterTiers,
        *,
        weight: Callable[[str], float] = lambda _: 1.0,
        miss: MissPolicy = "compute",
        on_round: Callable[[RoundRecord], None] = lambda _: None,
        limit_tokens: int = QUEUE_TOKENS,
        round_tokens: int = ROUND_TOKENS,
    ) -> None:
        """The pool is the generator's from now on; nobody else may touch it."""
        self.tokens = TokenBytes.read(decoder.tokenizer.backend_tokenizer)
        self._pool, self._tiers = pool, tiers
        self._on_round = on_round
        self._speed = 0.0
        self._lobby = Lobby(limit_tokens, weight)
        self._rounds = Rounds(
            decoder,
            pool,
            tiers,
            self._lobby,
            self.tokens,
            weight,
            miss,
            self._count,
            round_tokens,
        )
        self._stopping = False
        self._signal = threading.Event()
        """Set whenever there may be something to do."""
        self._thread = threading.Thread(target=self._go_on, name="generate", daemon=True)
        tiers.on_ready = self._signal.set

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 8.0) -> None:
        """End after the round under way; whoever waits or lives hears Unavailable."""
        self._stopping = True
        self._refuse_waiting(_stopping())
        self._signal.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def offer(self, orders: Sequence[Order]) -> None:
        """Accept all continuations of a request, or none: QueueFull with the time to come again,
        or Unavailable once it is stopping. Whoever offers gives up in the end, or hears of each
        order's end."""
        for order in orders:
            # First, so that nobody is let in whose adapter nobody has asked for.
            if order.adapter is not None:
                self._tiers.want(order.adapter)
        try:
            self._lobby.enter(orders, self._speed)
        except BaseException:
            self._unwant(orders)
            raise
        self._signal.set()

    def give_up(self, orders: Sequence[Order]) -> None:
        """Nobody listens any more: what waits is gone at once, what lives with the round under
        way. Orders that have ended already stay so."""
        for order in orders:
            order.give_up()
        self._unwant(self._lobby.leave(orders))
        self._signal.set()

    def use(self) -> GeneratorUse:
        return GeneratorUse(
            len(self._lobby),
            self._lobby.tokens,
            len(self._rounds),
            self._pool.used_bytes,
            self._pool.nbytes,
            self._speed,
        )

    def _go_on(self) -> None:
        while not self._stopping:
            # Before the look: what happens after it sets the signal again.
            self._signal.clear()
            try:
                ran = self._rounds.step()
            except Exception as error:
                # Then nothing that waits may wait for ever.
                log.exception("the generator failed; restart the engine")
                self._stopping = True
                self._rounds.close(error)
                self._refuse_waiting(error)
                return
            if not ran and not self._stopping:
                self._signal.wait()
        self._rounds.close(_stopping())

    def _refuse_waiting(self, error: Exception) -> None:
        left = self._lobby.close()
        self._unwant(left)
        for order in left:
            try:
                order.listener.failed(order, error)
            except Exception:
                log.exception("nobody could be told that the generator stops")

    def _unwant(self, orders: Sequence[Order]) -> None:
        for order in orders:
            if order.adapter is not None:
                self._tiers.unwant(order.adapter)

    def _count(self, record: RoundRecord) -> None:
        seconds = time.perf_counter() - record.began
        latest = (record.prefill + record.decode) / max(seconds, 1e-6)
        self._speed = latest if not self._speed else self._speed + _SHARE * (latest - self._speed)
        self._on_round(record)


def _stopping() -> Unavailable:
    return Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
