"""When the batches under way will be done, and how long what waits will take after them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.serving.latency import BatchShape, LatencyModel
from engine.serving.work import Work

_SHARE = 0.1
"""Of the latest batch in what batches are like, and of its speed in the speed."""


@dataclass(frozen=True, slots=True)
class UnderWay:
    shape: BatchShape
    taken: float
    predicted: float


class Forecast:
    """Follows the batches as they are taken and finished. Not thread-safe.

    A batch counts from when it was taken, or from when the one before it was finished if that was
    later: so where stages overlap, the time is what the batch adds to the whole.
    """

    def __init__(self, latency: LatencyModel) -> None:
        self.latency = latency
        self.tokens_per_s = 0.0
        """The recent speed; 0 until there is one."""
        self._under_way: dict[Work, UnderWay] = {}
        """By the first work of the batch."""
        self._finished = -math.inf
        self._free = -math.inf
        self._like: BatchShape | None = None
        """What batches are like, for each token."""
        self._limit = 1.0
        """Tokens of a full batch."""

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    def free(self, now: float) -> float:
        """When all batches under way are done."""
        return max(now, self._free)

    def begin(self, first: Work, shape: BatchShape, limit: int, longest: float, now: float) -> None:
        """The batch with this first work has been taken; batches may have `limit` tokens, and
        take `longest` seconds."""
        predicted = self.latency.predict(shape)
        self._under_way[first] = UnderWay(shape, now, predicted)
        self._free = self.free(now) + predicted
        like = shape.times(1 / max(shape.tokens, 1))
        self._like = like if self._like is None else self._like.toward(like, _SHARE)
        fixed = self.latency.fixed
        each = self.latency.predict(self._like) - fixed
        in_time = (longest - fixed) / each if each > 0 else limit
        self._limit = max(1.0, min(limit, in_time))

    def end(self, works: Sequence[Work], now: float) -> None:
        """The batch is finished; what has failed before it was computed teaches nothing."""
        batch = self._under_way.pop(works[0], None)
        if batch is None:
            return
        seconds = max(now - max(batch.taken, self._finished), 1e-6)
        self._finished = now
        self._free = now + sum(other.predicted for other in self._under_way.values())
        if any(_served(work) for work in works):
            self.latency.observe(batch.shape, seconds)
            speed, before = batch.shape.tokens / seconds, self.tokens_per_s
            self.tokens_per_s = before + _SHARE * (speed - before) if before else speed

    def seconds(self, ahead: float, waiting: float) -> float:
        """Until a request is answered that has `ahead` tokens served before or with it, of
        `waiting` in all: its last batch is filled up with others' works."""
        if self._like is None:
            return 0.0
        tokens = min(waiting, math.ceil(ahead / self._limit) * self._limit)
        full, rest = divmod(tokens, self._limit)
        whole = self.latency.predict(self._like.times(self._limit)) if full else 0.0
        return full * whole + (self.latency.predict(self._like.times(rest)) if rest else 0.0)


def _served(work: Work) -> bool:
    future = work.ticket.future
    return not future.done() or (not future.cancelled() and future.exception() is None)
