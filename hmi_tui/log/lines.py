"""The lines of the log that are kept: a bounded number, and which of them pass a filter."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from hmi_tui.log.line import LogLine, Wanted, contains, entry_around, read_line

KEPT = 10_000
"""Lines; the oldest go first."""


class LogLines:
    """`kept` are all lines, `shown` those that pass the filter; both rise by number."""

    def __init__(self) -> None:
        self.kept: list[LogLine] = []
        self.shown: list[LogLine] = []
        self.wanted = Wanted()
        self._next = 0

    def __len__(self) -> int:
        return len(self.kept)

    def append(self, texts: Sequence[str]) -> int:
        """Take in new lines of the file; how many of those shown had to go for them."""
        fresh = []
        before = self.kept[-1] if self.kept else None
        for text in texts:
            before = read_line(self._next, text, before)
            fresh.append(before)
            self._next += 1
        self.kept += fresh
        self.shown += filter(self.wanted.has, fresh)
        return self._forget_the_oldest()

    def want(self, wanted: Wanted) -> None:
        """Show what passes this filter."""
        self.wanted = wanted
        self.shown = [line for line in self.kept if wanted.has(line)]

    def index(self, number: int) -> int:
        """Where the line `number` is in `shown`; of the next line if it is not there."""
        index = bisect_left(self.shown, number, key=lambda line: line.number)
        return max(0, min(index, len(self.shown) - 1))

    def entry(self, line: LogLine) -> Sequence[LogLine]:
        """All lines of the entry that a kept line belongs to."""
        return entry_around(self.kept, line.number - self.kept[0].number)

    def find(self, text: str, here: int, way: int, *, fresh: bool) -> int | None:
        """The index in `shown` of the next line that has `text` from `here` on, downwards with
        `way` 1, round the end if need be; a `fresh` look takes `here` too."""
        count = len(self.shown)
        for step in range(0 if fresh else 1, count + 1 if count else 0):
            index = (here + way * step) % count
            if text and contains(self.shown[index], text):
                return index
        return None

    def _forget_the_oldest(self) -> int:
        over = len(self.kept) - KEPT
        if over <= 0:
            return 0
        del self.kept[:over]
        first = self.kept[0].number
        gone = bisect_left(self.shown, first, key=lambda line: line.number)
        del self.shown[:gone]
        return gone
