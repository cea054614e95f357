"""Send the planned requests at their instants and note what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from engine.errors import HmiError
from engine.load.ledger import Ledger
from engine.load.plan import Planned
from engine.schema import ClassifyResponse

DRAIN_S = 30.0
"""How long answers are awaited after the last request has left."""


class Target(Protocol):
    """What is asked; engine.client.AsyncClient is one."""

    async def classify(self, model: str, input: str) -> ClassifyResponse: ...


class Simulator:
    """One open-loop run: a request leaves when it is due, however many are still unanswered.

    Latency is measured from the instant at which a request was due, not from when it left: if
    this process falls behind or the engine stalls, the wait counts (no coordinated omission).
    """

    def __init__(self, target: Target, models: Sequence[str]) -> None:
        self.ledger = Ledger()
        self.sending = 0.0
        """Seconds from the start until the last request had left."""
        self._target = target
        self._models = models
        self._start = 0.0
        self._stop = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Send nothing more; `run` returns when what is in flight has been answered."""
        self._stop.set()

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    async def run(self, planned: Iterable[Planned], drain: float = DRAIN_S) -> Ledger:
        """Send all of `planned`; what has no answer `drain` seconds after the last counts as
        the error "unanswered"."""
        self._start = time.perf_counter()
        for request in planned:
            if await self._stopped_before(request.at):
                break
            task = asyncio.create_task(self._ask(request))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        self.sending = self.elapsed
        await self._drain(drain)
        return self.ledger

    async def _stopped_before(self, at: float) -> bool:
        wait = at - self.elapsed
        if wait <= 0:
            # Behind: let answers be noted between requests that leave at once.
            await asyncio.sleep(0)
            return self._stop.is_set()
        try:
            await asyncio.wait_for(self._stop.wait(), wait)
        except TimeoutError:
            return False
        return True

    async def _ask(self, request: Planned) -> None:
        self.ledger.leave(max(0.0, self.elapsed - request.at))
        try:
            answer = await self._target.classify(self._models[request.model], request.text)
        except HmiError as error:
            self.ledger.fail(error.code, self.elapsed)
        except asyncio.CancelledError:
            self.ledger.fail("unanswered", self.elapsed)
        else:
            self.ledger.answer(request.model, request.at, self.elapsed, answer.timing)

    async def _drain(self, seconds: float) -> None:
        if not self._open:
            return
        _, late = await asyncio.wait(set(self._open), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late)


async def report_progress(
    simulator: Simulator, say: Callable[[str], None], every: float = 5.0
) -> None:
    """Say how the run goes every `every` seconds, until cancelled."""
    while True:
        await asyncio.sleep(every)
        ledger = simulator.ledger
        say(
            f"{simulator.elapsed:6.0f} s  {ledger.sent} sent  {ledger.answered} answered  "
            f"{ledger.failed} failed  {ledger.in_flight} in flight"
        )
