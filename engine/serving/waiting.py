"""All works that wait, by tenant, and which of them make the next batch."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count

from engine.memory.counters import Standing
from engine.serving.backlog import Backlog
from engine.serving.draft import Draft
from engine.serving.line import Line
from engine.serving.turns import Turns
from engine.serving.work import Work

_PATIENCE = 16
"""Tenants that may be passed over in favour of later ones with resident adapters."""
_COMPACT = 1024
"""Given-up works that may lie about."""


class Waiting:
    """Not thread-safe."""

    def __init__(self, standing: Callable[[str], Standing], weight: Callable[[str], float]) -> None:
        self.tokens = 0
        self.backlog = Backlog()
        self._standing, self._weight = standing, weight
        self._works: set[Work] = set()
        self._arrived: deque[Work] = deque()
        """In order of acceptance; works that wait no more are cleared away now and then."""
        self._lines: dict[str, Line] = {}
        self._turns = Turns()
        self._numbers = count()
        self._given_up = 0
        """Works that still lie in their lines though nobody waits for them."""
        self._parked: dict[str, dict[str, Line]] = {}
        """By the adapter that is loading, and tenant."""

    def __len__(self) -> int:
        return len(self._works)

    def __contains__(self, work: Work) -> bool:
        return work in self._works

    def lines(self) -> list[Line]:
        """The tenants that wait."""
        return [line for line in self._lines.values() if line.texts]

    def line(self, tenant: str) -> Line:
        """The tenant's line, with the weight that it has now."""
        weight = self._weight(tenant)
        line = self._lines.get(tenant)
        if line is None:
            line = self._lines[tenant] = Line(tenant, weight, self._works)
        elif line.weight != weight:
            self.backlog.withdraw(line)
            self._turns.reweigh(line, weight)
            self.backlog.enter(line)
        return line

    def enter(self, work: Work) -> None:
        line, adapter = self.line(work.model.tenant), work.model.adapter
        self.backlog.withdraw(line)
        parked = self._parked.get(adapter)
        begun = line.join(next(self._numbers), work, parked=parked is not None)
        if begun and parked is not None:
            parked[line.tenant] = line
        self.backlog.enter(line)
        self._works.add(work)
        self._arrived.append(work)
        if len(self._arrived) > 2 * len(self._works) + _COMPACT:
            self._arrived = deque(each for each in self._arrived if each in self._works)
        self.tokens += len(work.ids)
        self._rejoin(line)

    def give_up(self, works: Iterable[Work]) -> None:
        """Those of them that wait do so no more."""
        for work in works:
            if work in self._works:
                line = self._lines[work.model.tenant]
                self.backlog.withdraw(line)
                self._remove(line, work)
                self.backlog.enter(line)
                if not line.texts:
                    self._turns.leave(line)
                self._given_up += 1
        if self._given_up > max(_COMPACT, len(self._works)):
            self._given_up = 0
            for line in self._lines.values():
                line.compact()

    def unpark(self, adapters: Iterable[str | None]) -> None:
        """Let works go on whose adapters have stopped loading, if it is one of these (None: any)
        and true."""
        asked = set(adapters)
        woken = [a for a in self._parked if a in asked or None in asked]
        for adapter in woken:
            if self._standing(adapter) != "loading":
                for line in self._parked.pop(adapter).values():
                    line.resume(adapter)
                    self._rejoin(line)

    def fill(self, draft: Draft, aged: float, urgent: float = -math.inf) -> None:
        """Move works into the batch. Those accepted before `aged` are preferred as if their
        adapters were resident; those before `urgent` go first, on their tenants' account."""
        stands: dict[str, Standing] = {}

        def standing(adapter: str) -> Standing:
            """The same throughout the batch."""
            if adapter not in stands:
                stands[adapter] = self._standing(adapter)
            return stands[adapter]

        turns, passed = self._turns, deque[Line]()
        full = not self._hurry(draft, standing, urgent)
        while not full:
            line = turns.peek()
            if line is not None and (not passed or self._may_pass(line, len(passed))):
                line, resident = turns.begin(), True
            elif passed:
                line, resident = passed.popleft(), False
            else:
                break
            self.backlog.withdraw(line)
            full = not self._serve(line, draft, standing, aged if resident else None, passed)
            self.backlog.enter(line)
        for line in passed:
            turns.stay(line)
        if not self._works:
            self._forget()

    def clear(self) -> list[Work]:
        """All that wait, oldest first; then nothing does."""
        left = [entry for line in self._lines.values() for entry in line.works()]
        self._works.clear()
        self._forget()
        return [work for _, work in sorted(left, key=lambda entry: entry[0])]

    def _hurry(self, draft: Draft, standing: Callable[[str], Standing], urgent: float) -> bool:
        """Serve works that were accepted before `urgent`; False if the batch is full."""
        aside: list[Work] = []
        arrived, room = self._arrived, True
        while room and arrived and len(aside) < _PATIENCE:
            work = arrived[0]
            if work in self._works:
                if work.accepted > urgent:
                    break
                stands = standing(work.model.adapter)
                if stands == "loading":
                    aside.append(work)
                elif draft.fits(work, stands):
                    draft.add(work, stands)
                    self._advance(work)
                else:
                    room = False
                    break
            arrived.popleft()
        arrived.extendleft(reversed(aside))
        return room

    def _advance(self, work: Work) -> None:
        """`work` is served before its turn; its tenant pays with later ones."""
        line = self._lines[work.model.tenant]
        self.backlog.withdraw(line)
        line.deficit -= len(work.ids)
        self._remove(line, work)
        self.backlog.enter(line)
        if not line.texts:
            self._turns.leave(line)

    def _may_pass(self, line: Line, passed: int) -> bool:
        """A preference never outlasts the round, or it would cost others their share."""
        return line.due == self._turns.round and passed < _PATIENCE

    def _serve(
        self,
        line: Line,
        draft: Draft,
        standing: Callable[[str], Standing],
        aged: float | None,
        passed: deque[Line],
    ) -> bool:
        """One turn; False if the batch is full before it ends. With `aged`, young works whose
        adapters are not resident are left for later, and the line joins `passed`."""
        while (work := line.pick(standing, aged, self._park)) is not None:
            size = len(work.ids)
            if size > line.deficit:
                self._turns.postpone(line, size)
                return True
            if not draft.fits(work, standing(work.model.adapter)):
                self._turns.stay(line)
                return False
            line.deficit -= size
            draft.add(work, standing(work.model.adapter))
            self._remove(line, work)
        if line.eligible:
            passed.append(line)
        else:
            self._turns.leave(line)
        return True

    def _park(self, adapter: str, line: Line) -> None:
        self._parked.setdefault(adapter, {})[line.tenant] = line

    def _rejoin(self, line: Line) -> None:
        if line.due is None and line.eligible:
            self._turns.join(line)

    def _remove(self, line: Line, work: Work) -> None:
        self._works.discard(work)
        self.tokens -= len(work.ids)
        line.leave(work)

    def _forget(self) -> None:
        """Nobody waits."""
        self._arrived.clear()
        self._lines.clear()
        self._parked.clear()
        self._turns.reset()
        self.backlog = Backlog()
        self.tokens = self._given_up = 0
