"""What all groups of calls share: the open engine, or why there is none yet; and paging."""

from __future__ import annotations

from engine.appliance.core import Core
from engine.errors import BadInput, Unavailable

_CURSOR_DIGITS = 18
"""What is longer is no place in a list, and may be more than SQLite can count."""


class Calls:
    """Base of the groups of calls that make up the appliance."""

    _open: Core | None = None
    _phase: str = "starting"

    @property
    def _core(self) -> Core:
        if self._open is None:
            raise Unavailable(
                f"The engine is not ready: {self._phase}.",
                remedy="Wait until /readyz answers 200.",
                code="not_ready",
            )
        return self._open


def offset_of(cursor: str | None) -> int:
    """The place in a list that a cursor of ours stands for. BadInput for anything else."""
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > _CURSOR_DIGITS:
        raise BadInput(
            f"{cursor!r} is not a cursor of this engine.",
            remedy="Use the next_cursor of the page before.",
            code="bad_cursor",
        )
    return int(cursor)


def next_cursor(offset: int, got: int, total: int) -> str | None:
    return str(offset + got) if offset + got < total else None
