"""Send the planned requests at their instants and note what comes back."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from engine.client import LeanAnswer
from engine.errors import HmiError
from engine.load.ledger import Ledger
from engine.load.plan import Planned
from engine.load.tempo import Tempo

_BACK_OFF_S = 0.05
DRAIN_S = 30.0
"""How long answers are awaited after the last request has left."""


class Target(Protocol):
    """What is asked; engine.client.LeanClient is one."""

    async def classify(self, model: str, input: str) -> LeanAnswer: ...


class Simulator:
    """One open-loop run: a request leaves when it is due, however many are still unanswered.

    Latency is measured from the instant at which a request was due, not from when it left: if
    this process falls behind or the engine stalls, the wait counts (no coordinated omission).
    """

    def __init__(self, target: Target, models: Sequence[str]) -> None:
        self.ledger = Ledger()
        self.sending = 0.0
        """Seconds from the start until the last request had left."""
        self.cpu = 0.0
        """Seconds of CPU that this process took for the run."""
        self._target = target
        self._models = models
        self.tempo = Tempo()
        """`run` alone heeds it; programs that wait for their answers have no rate."""
        self._start = 0.0
        self._stop = asyncio.Event()
        self._retimed = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        self.stopped = False

    def stop(self) -> None:
        """Send nothing more; `run` returns when what is in flight has been answered."""
        self.stopped = True
        self._stop.set()
        self._retimed.set()

    def pace(self, speed: float) -> None:
        """From now on go through the plan at `speed` times its own pace."""
        self.tempo.change(speed, self.elapsed)
        self._retimed.set()

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    async def run(
        self, planned: Iterable[Planned], drain: float = DRAIN_S, until: float = math.inf
    ) -> Ledger:
        """Send all of `planned` that is due before `until` seconds; what has no answer `drain`
        seconds after the last counts as the error "unanswered"."""
        self._start, before = time.perf_counter(), time.process_time()
        for request in planned:
            if await self._over_before(request.at, until):
                break
            task = asyncio.create_task(self._ask(request, self.tempo.due(request.at)))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        self.sending = self.elapsed
        await self._drain(drain)
        self.cpu = time.process_time() - before
        return self.ledger

    async def run_clients(
        self,
        planned: Iterable[Planned],
        clients: int,
        duration: float | None,
        drain: float = DRAIN_S,
    ) -> Ledger:
        """A closed loop: `clients` programs, each asking anew as soon as it has its answer.

        It finds how much the engine can do; how long requests wait at some rate it cannot say.
        Instants of `planned` do not count; latency is from when a request left.
        """
        self._start, before = time.perf_counter(), time.process_time()
        requests = iter(planned)
        self._open = {
            asyncio.create_task(self._keep_asking(requests, duration)) for _ in range(clients)
        }
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({stopped}, timeout=duration)
        stopped.cancel()
        self._stop.set()
        self.sending = self.elapsed
        await self._drain(drain)
        self.cpu = time.process_time() - before
        return self.ledger

    async def _keep_asking(self, requests: Iterator[Planned], duration: float | None) -> None:
        for request in requests:
            if self._stop.is_set() or (duration is not None and self.elapsed >= duration):
                return
            failed = self.ledger.failed
            await self._ask(request, self.elapsed)
            if self.ledger.failed > failed:
                # Refused at once: asking again at once would only keep the engine refusing.
                await asyncio.sleep(_BACK_OFF_S)

    async def _over_before(self, at: float, until: float) -> bool:
        """Wait until what the plan has `at` that instant is due, or the run is over."""
        while not self._stop.is_set():
            self._retimed.clear()
            due = self.tempo.due(at)
            wait = min(due, until) - self.elapsed
            if wait <= 0:
                # Behind: let answers be noted between requests that leave at once.
                await asyncio.sleep(0)
                return self._stop.is_set() or due >= until
            try:
                await asyncio.wait_for(self._retimed.wait(), wait)
            except TimeoutError:
                return due >= until
        return True

    async def _ask(self, request: Planned, due: float) -> None:
        ledger, model = self.ledger, request.model
        ledger.leave(model, max(0.0, self.elapsed - due))
        try:
            answer = await self._target.classify(self._models[model], request.text)
        except HmiError as error:
            ledger.fail(model, error.code, self.elapsed)
        except asyncio.CancelledError:
            ledger.fail(model, "unanswered", self.elapsed)
        else:
            ledger.answer(model, due, self.elapsed, answer)

    async def _drain(self, seconds: float) -> None:
        if not self._open:
            return
        _, late = await asyncio.wait(set(self._open), timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late)
