"""What waits between the API and the pipeline, and what of it is served next.

Fair over tenants by weight (turns), first come first served within a tenant, with a preference for
resident adapters that holds within a round and for no work older than the age bound.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from heapq import nlargest

from engine.errors import QueueFull, SloUnattainable, Unavailable
from engine.memory.counters import Standing
from engine.serving.draft import BatchLimits, Draft, Pace
from engine.serving.forecast import Forecast
from engine.serving.latency import LatencyModel, LatencyReport
from engine.serving.line import Line
from engine.serving.waiting import Waiting
from engine.serving.work import Outcome, Work

AGE_BOUND = 0.25
"""Seconds after which a work is preferred as if its adapter were resident."""
BATCH_S = 0.05
"""Seconds that a batch should take at most."""
_FIXED_SHARE = 0.1
"""Of what every batch takes in a batch's time: a machine on which that is dear has longer ones."""


@dataclass(frozen=True, slots=True)
class LineUse:
    tenant: str
    texts: int
    tokens: int
    oldest: float
    """Seconds that its first work has waited."""


class Scheduler:
    """Thread-safe. `standing` and `weight` are called with the lock held and must not block."""

    def __init__(
        self,
        limit_tokens: int,
        *,
        standing: Callable[[str], Standing] = lambda _: "ready",
        weight: Callable[[str], float] = lambda _: 1.0,
        age_bound: float = AGE_BOUND,
        slo_ms: float | None = None,
        batch_s: float = BATCH_S,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.limit_tokens = limit_tokens
        self.latency = LatencyModel()
        self._clock, self._age_bound = clock, age_bound
        self._batch_s = batch_s
        self._slo = None if slo_ms is None else slo_ms / 1000
        self._forecast = Forecast(self.latency)
        self._waiting = Waiting(standing, weight)
        self._awake: deque[str | None] = deque()
        self._lost: list[Work] = []
        """Of batches that failed while they were made up; `close` gives them back."""
        self._closed = False
        self._lock = threading.Lock()
        self._signal = threading.Event()
        """Set whenever there may be something to take."""

    @property
    def tokens_per_s(self) -> float:
        """The recent speed of batches; 0 before the first."""
        return self._forecast.tokens_per_s

    def size(self) -> tuple[int, int]:
        """(texts, tokens) waiting."""
        return len(self._waiting), self._waiting.tokens

    def busiest(self, count: int) -> list[LineUse]:
        """The tenants with most tokens waiting, most first."""
        with self._lock:
            now = self._clock()
            lines = nlargest(count, self._waiting.lines(), key=lambda line: line.tokens)
            return [
                LineUse(line.tenant, line.texts, line.tokens, max(0.0, now - line.oldest()))
                for line in lines
            ]

    def report(self) -> LatencyReport:
        return self.latency.report()

    def offer(self, works: Sequence[Work]) -> None:
        """Accept all texts of a request, or none: QueueFull or SloUnattainable with the time to
        come again, or Unavailable once the scheduler is closed."""
        if not works:
            return
        with self._lock:
            if self._closed:
                raise Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
            self._check(works)
            for work in works:
                self._waiting.enter(work)
        self._signal.set()
        for ticket in {id(work.ticket): work.ticket for work in works}.values():
            # Outside the lock: it is called at once if the client has gone already.
            ticket.future.add_done_callback(partial(self._ended, works))

    def take(self, limits: BatchLimits, *, wait: bool = True) -> list[Work]:
        """A batch of what waits, as soon as there is one; empty once the scheduler is closed, and
        without `wait` if nothing can be served now."""
        while True:
            # Before the look: what happens after it sets the signal again.
            self._signal.clear()
            with self._lock:
                works = self._form(limits)
                if self._closed or (works and self._waiting):
                    # Another taker may be about to wait.
                    self._signal.set()
                if works or self._closed or not wait:
                    return works
            self._signal.wait()

    def finished(self, works: Sequence[Work]) -> None:
        """The batch that `take` gave out has been answered, or has failed."""
        with self._lock:
            self._forecast.end(works, self._clock())

    def wake(self, adapter: str | None = None) -> None:
        """An adapter (None: any) has stopped loading. Takes no lock."""
        self._awake.append(adapter)
        self._signal.set()

    def close(self) -> list[Work]:
        """Let `take` return; what was still waiting comes back to be refused, oldest first."""
        with self._lock:
            self._closed = True
            left = [*self._lost, *self._waiting.clear()]
        self._signal.set()
        return left

    def _check(self, works: Sequence[Work]) -> None:
        """Refuse what finds no room, or cannot be answered in time."""
        tenant = works[0].model.tenant
        tokens = sum(len(work.ids) for work in works)
        line = self._waiting.line(tenant)
        if self._waiting and self._waiting.tokens + tokens > self.limit_tokens:
            self._waiting.backlog.withdraw(line)
            share = self.limit_tokens * line.weight / (self._waiting.backlog.weight + line.weight)
            self._waiting.backlog.enter(line)
            # No tenant is refused for what others have waiting.
            if line.tokens + tokens > share:
                excess = self._waiting.tokens + tokens - self.limit_tokens
                raise QueueFull(
                    f"{self._waiting.tokens:,} tokens are waiting and {self.limit_tokens:,} may.",
                    retry_after=_bounded(excess / max(self.tokens_per_s, 1.0)),
                )
        # An idle engine takes anything: that is how it learns that it has become faster.
        if self._slo is not None and (self._waiting or self._forecast.busy):
            late = self._completion(line, tokens) - self._slo
            if late > 0:
                raise SloUnattainable(
                    f"The answer would take {1000 * (late + self._slo):,.0f} ms and may take "
                    f"{1000 * self._slo:,.0f} ms (--slo-ms).",
                    retry_after=_bounded(late),
                )

    def _completion(self, line: Line, tokens: int) -> float:
        """Seconds until `tokens` more of the line would be answered, on the safe side."""
        self._waiting.backlog.withdraw(line)
        own = line.tokens + tokens
        ahead = own + self._waiting.backlog.ahead(own, line.weight)
        self._waiting.backlog.enter(line)
        now = self._clock()
        wait = self._forecast.free(now) - now
        return wait + (1 + self.latency.spread) * self._forecast.seconds(
            ahead, self._waiting.tokens + tokens
        )

    def _form(self, limits: BatchLimits) -> list[Work]:
        awake = [self._awake.popleft() for _ in range(len(self._awake))]
        if awake:
            self._waiting.unpark(awake)
        now = self._clock()
        draft = Draft(limits, self._pace(now))
        try:
            self._waiting.fill(draft, now - self._age_bound, self._urgent(draft.pace))
        except BaseException:
            self._lost += draft.works
            raise
        if draft.works:
            longest = math.inf if draft.pace is None else draft.pace.longest
            self._forecast.begin(draft.works[0], draft.shape, limits.tokens, longest, now)
        return draft.works

    def _pace(self, now: float) -> Pace | None:
        """How long the batch may take: nobody who comes meanwhile can be served before it ends."""
        if not self.latency.ready:
            return None
        longest = max(self._batch_s, self.latency.fixed / _FIXED_SHARE)
        slo = math.inf if self._slo is None else self._slo
        return Pace(self.latency, self._forecast.free(now), longest, slo)

    def _urgent(self, pace: Pace | None) -> float:
        """What was accepted before this must be in this batch, for the next would end too late."""
        if pace is None:
            return -math.inf
        return pace.start + (1 + self.latency.spread) * 2 * pace.longest - pace.slo

    def _ended(self, works: Sequence[Work], future: Future[list[Outcome]]) -> None:
        """A request is over: those of its works that still wait have been given up."""
        if future.cancelled() or future.exception() is not None:
            with self._lock:
                self._waiting.give_up(work for work in works if work.ticket.given_up)


def _bounded(seconds: float) -> float:
    """When to come again."""
    return min(60.0, max(1.0, seconds))
