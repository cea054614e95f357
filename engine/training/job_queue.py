"""Jobs that wait: in the order of arrival, those for idle time letting others pass."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from engine.training.job import JobContext, JobType, Run, Together


@dataclass(frozen=True, slots=True, eq=False)
class Queued:
    context: JobContext
    type: JobType
    subject: str
    run: Run | Together
    when_idle: bool
    kind: Hashable = None

    @property
    def goes_on(self) -> bool:
        """Whether it can go on after the engine's end."""
        return not callable(self.run)


class JobQueue:
    """Its owner sees to it that one thread at a time uses it. A party has `most` jobs at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Queued] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Queued]:
        return iter(self._waiting)

    def add(self, queued: Queued) -> None:
        self._waiting.append(queued)

    def put_back(self, queued: Queued) -> None:
        """Before all others."""
        self._waiting.appendleft(queued)

    def remove(self, context: JobContext) -> Queued | None:
        """None if it does not wait."""
        found = next((queued for queued in self._waiting if queued.context is context), None)
        if found is not None:
            self._waiting.remove(found)
        return found

    def take(self, idle: Callable[[], bool], *, closing: bool) -> list[Queued]:
        """The next job whose time has come, and those that may be taken together with it; none if
        there is none. An engine that is `closing` takes all but what the next one goes on with."""
        for queued in self._waiting:
            ready = not queued.when_idle or idle()
            if closing and queued.goes_on:
                # It stays in the catalogue, for the next engine.
                continue
            if ready or closing:
                party = [queued, *self._like(queued)]
                for one in party:
                    self._waiting.remove(one)
                return party
        return []

    def _like(self, first: Queued) -> list[Queued]:
        if not first.goes_on:
            return []
        # A second job on the same thing waits for what the first makes of it.
        taken = {first.subject}
        found: list[Queued] = []
        for one in self._waiting:
            alike = (one.kind, one.when_idle) == (first.kind, first.when_idle)
            if alike and one.subject not in taken and len(found) < self._most - 1:
                found.append(one)
                taken.add(one.subject)
        return found
