"""The backbones that serve, each with all that is its own, by the sha256 of its weights.

The engine's own is loaded at its start and stays. Others are loaded beside it when a vPLM that has
one is first asked; whoever uses one holds it meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from engine.appliance.further_backbone import Further, Upkeep
from engine.appliance.further_keeper import Keeper
from engine.appliance.serving_stack import ServingStack
from engine.memory.counters import TierCounters, TierName, TierUse

PATIENCE_S = 20.0
"""A request waits so long for its backbone to be loaded, then it is told to come again."""
JOB_PATIENCE_S = 300.0
MOST_WAITING = 256
"""Requests that may wait for one backbone."""


class Stacks:
    """Thread-safe. What is asked of all backbones at once is asked here."""

    def __init__(self, own: ServingStack, upkeep: Upkeep) -> None:
        self.own = own
        """The engine's own."""
        self.patience_s = PATIENCE_S
        self._keeper = Keeper(upkeep)
        self.room = self._keeper.room
        """The others."""

    @property
    def closed(self) -> bool:
        """The engine is stopping: nothing is loaded any more."""
        return self.room.closed

    def get(self, sha256: str) -> ServingStack | None:
        """The stack of that backbone, if it is loaded; it may be let go of at any time."""
        if sha256 == self.own.sha256:
            return self.own
        further = self.room.find(sha256)
        return None if further is None else further.stack

    def loading(self, sha256: str) -> bool:
        further = self.room.find(sha256)
        return further is not None and further.stack is None

    def loaded(self) -> list[ServingStack]:
        """The engine's own first."""
        further = [each.stack for each in self.room.all()]
        return [self.own, *(stack for stack in further if stack is not None)]

    @asynccontextmanager
    async def asked(self, sha256: str) -> AsyncIterator[ServingStack]:
        """The stack of that backbone, held meanwhile; loaded first if need be.

        NotLoaded if that takes too long or there is no room; HmiError or StoreError if it fails.
        """
        if sha256 == self.own.sha256:
            yield self.own
            return
        deadline = time.monotonic() + self.patience_s
        while isinstance(found := self.room.enter(sha256, MOST_WAITING), Further):
            try:
                left = deadline - time.monotonic()
                # Shielded: a client that goes takes nobody else's loading with it.
                await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(found.ended)), left)
            except TimeoutError:
                raise self.room.late(sha256) from None
            finally:
                self.room.waited(found)
        try:
            yield found
        finally:
            self.room.leave(sha256)

    @contextmanager
    def held(self, sha256: str, patience_s: float = JOB_PATIENCE_S) -> Iterator[ServingStack]:
        """As `asked`, but it blocks; a job has more patience."""
        if sha256 == self.own.sha256:
            yield self.own
            return
        deadline = time.monotonic() + patience_s
        while isinstance(found := self.room.enter(sha256), Further):
            try:
                found.ended.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise self.room.late(sha256) from None
            finally:
                self.room.waited(found)
        try:
            yield found
        finally:
            self.room.leave(sha256)

    def waiting(self) -> int:
        """Texts in the queues of all."""
        return sum(stack.queue.size()[0] for stack in self.loaded())

    def use(self) -> dict[TierName, TierUse]:
        """What the host and device tiers of all hold together, and have done."""
        further, gone = self.room.uses()
        uses = [self.own.tiers.use(), *further]
        return {name: _sum([use[name] for use in uses], gone[name]) for name in gone}

    def drop(self, sha256: str) -> None:
        """Let go of a further backbone, if it is loaded. Conflict while it is used or loaded."""
        further = self.room.take_out(sha256)
        if further is not None:
            self._keeper.close(further)

    def stop(self) -> None:
        """Serve nothing any more."""
        self._keeper.stop()
        self.own.stop()

    def close(self) -> None:
        """Stop what runs beside serving."""
        self.own.close()

    def refuse_waiting(self) -> None:
        """Nothing more is taken; the batches under way go on."""
        self.room.end()
        for each in self.room.all():
            # Threads that end now are no reason to call for help.
            each.unwatch()
            if each.stack is not None:
                each.stack.pipeline.refuse_waiting()
        self.own.pipeline.refuse_waiting()


def _sum(uses: list[TierUse], gone: TierCounters) -> TierUse:
    counters = gone
    for use in uses:
        counters = counters.and_(use.counters)
    return TierUse(
        sum(use.resident for use in uses),
        sum(use.bytes for use in uses),
        sum(use.budget for use in uses),
        sum(use.held for use in uses),
        counters,
    )
