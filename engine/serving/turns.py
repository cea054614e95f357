"""Whose turn it is: deficit round robin over tenants by weight.

M. Shreedhar and G. Varghese, "Efficient fair queueing using deficit round robin", 1995. A round
that can bring a tenant nothing, because it has not saved up for its next text yet, is skipped: the
turns stand in a heap by the round in which they can be used, so a turn costs the logarithm of the
number of tenants whatever their weights and texts.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush

from engine.serving.line import Line

QUANTUM = 64
"""Tokens that a round brings the heaviest tenant; the others get their share of it."""


class Turns:
    """Lines in order of their turns. Not thread-safe."""

    def __init__(self) -> None:
        self.round = 0
        self._heap: list[tuple[int, int, Line]] = []
        """An entry counts only if its line still has that turn."""
        self._places = 0
        self._heaviest = 0.0

    def join(self, line: Line) -> None:
        """The line has something to serve: its turn is the last of this round, or of the next if
        it has had one in this."""
        self._heaviest = max(self._heaviest, line.weight)
        self._places += 1
        line.place = self._places
        line.due = max(self.round, line.credited + 1)
        line.credited = line.due - 1
        self.stay(line)

    def leave(self, line: Line) -> None:
        """It has nothing to serve. An idle line saves nothing, one that waits for an adapter no
        more than a quantum."""
        line.due = None
        line.deficit = min(line.deficit, self._quantum(line) if line.texts else 0.0)

    def reset(self) -> None:
        """Nobody waits."""
        self._heap.clear()
        self._heaviest = 0.0

    def reweigh(self, line: Line, weight: float) -> None:
        """The line's weight has changed: what it saves up for may be due earlier now."""
        line.weight = weight
        self._heaviest = max(self._heaviest, weight)
        if line.due is not None and line.due > self.round:
            line.credited = self.round
            # One that is due then already stands in the heap so, and must not stand there twice.
            if line.due != self.round + 1:
                line.due = self.round + 1
                self.stay(line)

    def peek(self) -> Line | None:
        """Whose turn is next."""
        heap = self._heap
        while heap:
            due, place, line = heap[0]
            if line.due == due and line.place == place:
                return line
            heappop(heap)
        return None

    def begin(self) -> Line:
        """The next turn, which there is: its line gets what the rounds since its last turn
        bring."""
        due, _, line = heappop(self._heap)
        self.round = due
        line.deficit += (due - line.credited) * self._quantum(line)
        line.credited = due
        return line

    def stay(self, line: Line) -> None:
        """The line keeps its turn."""
        assert line.due is not None
        heappush(self._heap, (line.due, line.place, line))

    def postpone(self, line: Line, cost: int) -> None:
        """The line's turn is over; the next is when it can pay `cost`."""
        line.due = self.round + max(1, math.ceil((cost - line.deficit) / self._quantum(line)))
        self.stay(line)

    def _quantum(self, line: Line) -> float:
        return QUANTUM * line.weight / self._heaviest
