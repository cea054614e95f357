"""Time as this process has it: what it was stopped for, or got no core for, does not count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.benchmarks.turmoil.book import clock

_TICK_S = 0.1
_LONGEST_S = 1.0
"""What one tick may count for."""


class Awake:
    """`seconds` since it began to `tick`, which runs as a task. A machine that stops everything
    for a minute, engine and callers, has not shown a deadlock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._limits: dict[asyncio.Timeout, float] = {}

    async def tick(self) -> None:
        while True:
            before = clock()
            await asyncio.sleep(_TICK_S)
            self.seconds += min(clock() - before, _LONGEST_S)
            for limit, end in list(self._limits.items()):
                if self.seconds >= end:
                    limit.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def at_most(self, seconds: float) -> AsyncIterator[None]:
        """TimeoutError if what is inside takes longer."""
        async with asyncio.timeout(None) as limit:
            self._limits[limit] = self.seconds + seconds
            try:
                yield
            finally:
                del self._limits[limit]
