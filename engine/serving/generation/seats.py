"""Where a sequence lives: pages of the cache and its adapter's slot, both or neither."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

from engine.errors import Unavailable
from engine.knowledge.generation import begin
from engine.memory.tiers import AdapterTiers
from engine.model.decoder import Decoder
from engine.model.kv_pool import KvPool
from engine.serving.generation.detokenize import TokenBytes
from engine.serving.generation.order import Order
from engine.serving.generation.voice import Voice
from engine.serving.room import ARENA_FULL


class Seats:
    """Not thread-safe: the pool is this one's, and one thread calls it."""

    def __init__(
        self, decoder: Decoder, pool: KvPool, tiers: AdapterTiers, tokens: TokenBytes
    ) -> None:
        self._decoder, self._pool, self._tiers, self._tokens = decoder, pool, tiers, tokens
        self.held: Counter[str] = Counter()
        """Tokens of the cache that tenants' sequences may fill."""
        self._adapters = 0
        """Sequences that hold a slot."""

    def ready(self, order: Order) -> bool:
        """Whether nobody would wait for its adapter to be read."""
        return order.adapter is None or self._tiers.standing(order.adapter) != "loading"

    def take(self, order: Order) -> Voice | None:
        """A sequence with its pages and its slot, or None: there is no room now. What its way or
        its adapter raises is raised, and nothing is held."""
        way = order.way()
        sequence = begin(self._decoder, self._pool, order.prompt, order.ending.most, way.knowledge)
        if sequence is None:
            return None
        began = time.perf_counter()
        try:
            slot = self._slot(order)
        except BaseException:
            self._pool.free(sequence.lease)
            raise
        if slot is None:
            self._pool.free(sequence.lease)
            return None
        self._adapters += order.adapter is not None
        self.held[order.tenant] += order.tokens
        loaded = time.perf_counter() - began
        return Voice(order, replace(sequence, slot=slot), way, self._tokens, loaded)

    def free(self, voice: Voice) -> None:
        """Once for each that was taken."""
        order = voice.order
        self.held[order.tenant] -= order.tokens
        if not self.held[order.tenant]:
            del self.held[order.tenant]
        self._pool.free(voice.sequence.lease)
        if order.adapter is not None:
            self._adapters -= 1
            self._tiers.release([order.adapter])

    def unwant(self, order: Order) -> None:
        """It waits no more."""
        if order.adapter is not None:
            self._tiers.unwant(order.adapter)

    def _slot(self, order: Order) -> int | None:
        """Its adapter's, held until `free`; None while all are others'."""
        if order.adapter is None:
            return 0
        residence = self._tiers.ensure_resident([order.adapter])
        [slot] = residence.slots
        if slot is not None:
            residence.wait()
            return slot
        self._tiers.release([order.adapter])
        error = residence.errors[order.adapter]
        full = isinstance(error, Unavailable) and error.code == ARENA_FULL
        if full and self._adapters:
            return None
        raise error
