"""One tenant's waiting works: first come, first served, but for adapters that are not there yet."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush, heapreplace

from engine.memory.counters import Standing
from engine.serving.work import Work

_LOOK = 8
"""Adapters of one tenant among which a resident one is looked for."""


class Line:
    """The works stand in one strand an adapter, and the strands in the order of their first works.

    The strand of an adapter that is loading is parked: it is out of the order until `resume`.
    Works that are no longer in `waiting` have been given up and are passed over.
    """

    __slots__ = (
        "_order",
        "_strands",
        "_waiting",
        "credited",
        "deficit",
        "due",
        "place",
        "tenant",
        "texts",
        "tokens",
        "weight",
    )

    def __init__(self, tenant: str, weight: float, waiting: set[Work]) -> None:
        self.tenant = tenant
        self.weight = weight
        self.texts = self.tokens = 0
        """That wait, parked ones among them."""
        self.deficit = 0.0
        """Tokens it may still have served in its turn."""
        self.due: int | None = None
        """The round of its next turn; None while it has none."""
        self.credited = -1
        """The last round whose quantum it has had."""
        self.place = 0
        self._waiting = waiting
        self._strands: dict[str, deque[tuple[int, Work]]] = {}
        self._order: list[tuple[int, str]] = []
        """A heap. An entry whose strand has moved on is put right when it comes up."""

    @property
    def eligible(self) -> bool:
        """Whether a strand is not parked."""
        return bool(self._order)

    def oldest(self) -> float:
        """When the first of its works was accepted; infinite if it has none."""
        return min((work.accepted for _, work in self.works()), default=math.inf)

    def join(self, number: int, work: Work, *, parked: bool) -> bool:
        """`work` is the `number`th of all. Whether a strand begins with it, parked: one that is in
        the order stays there until it comes up."""
        adapter = work.model.adapter
        strand = self._strands.get(adapter)
        begins = strand is None
        if strand is None:
            strand = self._strands[adapter] = deque()
            if not parked:
                heappush(self._order, (number, adapter))
        strand.append((number, work))
        self.texts += 1
        self.tokens += len(work.ids)
        return begins and parked

    def leave(self, work: Work) -> None:
        """`work` waits no more; its place in the strand is cleared when it comes up."""
        self.texts -= 1
        self.tokens -= len(work.ids)
        if not self.texts:
            self._strands.clear()
            self._order.clear()

    def pick(
        self,
        standing: Callable[[str], Standing],
        aged: float | None,
        park: Callable[[str, Line], None],
    ) -> Work | None:
        """The work to be served next, which stays where it is.

        With `aged`, only one that was accepted before or, of the first few adapters, one that has
        a slot.
        """
        while (work := self._first()) is not None:
            stands = standing(work.model.adapter)
            if stands == "loading":
                heappop(self._order)
                park(work.model.adapter, self)
            elif stands == "device" or aged is None or work.accepted <= aged:
                return work
            else:
                return self._resident(standing)
        return None

    def resume(self, adapter: str) -> None:
        """The adapter has stopped loading."""
        strand = self._strands.get(adapter)
        if strand:
            heappush(self._order, (strand[0][0], adapter))
        elif strand is not None:
            del self._strands[adapter]

    def compact(self) -> None:
        """Let go of all works that were given up."""
        for strand in self._strands.values():
            kept = [entry for entry in strand if entry[1] in self._waiting]
            strand.clear()
            strand.extend(kept)

    def works(self) -> list[tuple[int, Work]]:
        """All that wait, with their numbers, in no order."""
        strands = self._strands.values()
        return [entry for strand in strands for entry in strand if entry[1] in self._waiting]

    def _resident(self, standing: Callable[[str], Standing]) -> Work | None:
        """The earliest work with a slot, of the strands near the front."""
        found: tuple[int, Work] | None = None
        for _, adapter in self._order[1:_LOOK]:
            if standing(adapter) == "device":
                strand = self._strands[adapter]
                while strand and strand[0][1] not in self._waiting:
                    strand.popleft()
                if strand and (found is None or strand[0][0] < found[0]):
                    found = strand[0]
        return None if found is None else found[1]

    def _first(self) -> Work | None:
        """The first work of the first strand in order."""
        while self._order:
            number, adapter = self._order[0]
            strand = self._strands[adapter]
            while strand and strand[0][1] not in self._waiting:
                strand.popleft()
            if not strand:
                heappop(self._order)
                del self._strands[adapter]
            elif strand[0][0] != number:
                heapreplace(self._order, (strand[0][0], adapter))
            else:
                return strand[0][1]
        return None
