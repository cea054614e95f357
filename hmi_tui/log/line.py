"""A line of the engine's log, and which lines an operator wants to see."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
RANKS: dict[Level, int] = {"DEBUG": 0, "INFO": 1, "WARNING": 2, "ERROR": 3, "CRITICAL": 4}
FLOORS: tuple[Level, ...] = ("DEBUG", "INFO", "WARNING", "ERROR")
"""What the level filter goes through; the first lets everything pass."""

LONGEST = 4096
"""Characters of one line that are kept."""

_ENTRY = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:,\d{3})? (DEBUG|INFO|WARNING|ERROR|CRITICAL) "
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""A terminal would obey these; a log is to be looked at only."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """`number` counts from the first line that was read; `text` has no control characters."""

    number: int
    text: str
    level: Level
    """Its own, or that of the entry that it goes on with, as a traceback's lines do."""
    clock: str = ""
    """HH:MM:SS, empty for a line that goes on with an entry."""
    body: str = ""
    """The text from the level on."""

    @property
    def begins(self) -> bool:
        return bool(self.clock)


def read_line(number: int, raw: str, before: LogLine | None) -> LogLine:
    """The line `raw`, after the line `before`."""
    text = _CONTROL.sub("", raw).expandtabs(4)[:LONGEST]
    found = _ENTRY.match(text)
    if found is None:
        return LogLine(number, text, before.level if before is not None else "INFO", "", text)
    return LogLine(number, text, cast("Level", found[3]), found[2], text[found.start(3) :])


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter: at least this level, and this text, in letters of any size."""

    floor: Level = "DEBUG"
    text: str = ""

    def has(self, line: LogLine) -> bool:
        return RANKS[line.level] >= RANKS[self.floor] and contains(line, self.text)


def contains(line: LogLine, text: str) -> bool:
    return text.lower() in line.text.lower()


def entry_around(lines: Sequence[LogLine], index: int) -> Sequence[LogLine]:
    """The whole entry that the line at `index` belongs to."""
    first = index
    while first > 0 and not lines[first].begins:
        first -= 1
    last = index + 1
    while last < len(lines) and not lines[last].begins:
        last += 1
    return lines[first:last]
