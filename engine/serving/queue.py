"""The bounded queue between the API and the pipeline."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import QueueFull, Unavailable
from engine.serving.work import Work


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """A batch closes at `tokens`, at `models` distinct vPLMs, or when the rectangle that
    attention pads to would exceed `padded` tokens. One text always fits."""

    tokens: int
    models: int

    @property
    def padded(self) -> int:
        return 4 * self.tokens


class RequestQueue:
    """First come, first served; thread-safe."""

    def __init__(self, limit_tokens: int) -> None:
        self.limit_tokens = limit_tokens
        self._waiting: deque[Work] = deque()
        self._tokens = 0
        self._changed = threading.Condition()
        self._closed = False
        self.tokens_per_s = 0.0
        """The pipeline's recent speed, for telling clients when to come again."""

    def size(self) -> tuple[int, int]:
        """(texts, tokens) waiting."""
        return len(self._waiting), self._tokens

    def offer(self, works: Sequence[Work]) -> None:
        """Accept all texts of a request, or none: QueueFull with the time to come again, or
        Unavailable once the queue is closed."""
        tokens = sum(len(w.ids) for w in works)
        with self._changed:
            if self._closed:
                raise Unavailable("The engine is stopping.", remedy="Ask again once it is back.")
            if self._tokens + tokens > self.limit_tokens:
                self._forget_given_up()
            if self._waiting and self._tokens + tokens > self.limit_tokens:
                speed = max(self.tokens_per_s, 1.0)
                excess = self._tokens + tokens - self.limit_tokens
                wait = min(60.0, max(1.0, excess / speed))
                raise QueueFull(
                    f"{self._tokens:,} tokens are waiting and {self.limit_tokens:,} may.",
                    retry_after=wait,
                )
            self._waiting.extend(works)
            self._tokens += tokens
            self._changed.notify()

    def take(self, limits: BatchLimits) -> list[Work]:
        """Wait for work and take a batch of it, oldest first; empty once the queue is closed."""
        with self._changed:
            while True:
                batch = self._next(limits)
                if batch or self._closed:
                    return batch
                self._changed.wait()

    def close(self) -> list[Work]:
        """Let `take` return; what was still waiting comes back to be refused."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._tokens = 0
            self._changed.notify_all()
        return left

    def _next(self, limits: BatchLimits) -> list[Work]:
        batch: list[Work] = []
        models: set[str] = set()
        tokens = longest = 0
        while self._waiting:
            work = self._waiting[0]
            if work.ticket.given_up:
                self._drop()
                continue
            size = len(work.ids)
            longest = max(longest, size)
            adapters = len(models | {work.model.adapter})
            padded = longest * (len(batch) + 1)
            over = tokens + size > limits.tokens or padded > limits.padded
            if batch and (over or adapters > limits.models):
                break
            self._drop()
            batch.append(work)
            models.add(work.model.adapter)
            tokens += size
        return batch

    def _forget_given_up(self) -> None:
        """Make room where nobody waits any more."""
        self._waiting = deque(w for w in self._waiting if not w.ticket.given_up)
        self._tokens = sum(len(w.ids) for w in self._waiting)

    def _drop(self) -> None:
        self._tokens -= len(self._waiting.popleft().ids)
