"""How long a connection of a stranger may take: for a head, for a body, to read an answer."""

from __future__ import annotations

HEAD_S = 10.0
"""From the first byte to the end of the headers, and from connecting to the first byte."""
WINDOW_S = 10.0
"""Bodies and answers are looked at over such stretches."""
LEAST_BYTES = 10 << 10
"""That must move in each: a kilobyte a second is slower than any line that is in use."""


class Patience:
    """Of one connection. The times are those of any steady clock, in seconds."""

    __slots__ = ("_body", "_head_since", "_in_body", "_unread", "_window", "_writing")

    def __init__(self, now: float) -> None:
        self._head_since: float | None = now
        self._in_body = False
        self._body = 0
        self._window = now
        self._unread = 0
        self._writing = False

    def head_begins(self, now: float) -> None:
        if self._head_since is None:
            self._head_since = now

    def head_ends(self, now: float) -> None:
        self._head_since = None
        self._in_body, self._body, self._window = True, 0, now

    def body(self, size: int) -> None:
        self._body += size

    def body_ends(self) -> None:
        self._in_body = False

    def ended(self, now: float, *, reading: bool, unread: int | None) -> bool:
        """Whether it has been tried enough; asked about once a second.

        `reading` is whether we take in what is sent; `unread` how many bytes of an answer wait for
        the other side, None while it keeps up.
        """
        if self._head_since is not None and now - self._head_since > HEAD_S:
            return True
        writing = unread is not None
        if not reading or writing != self._writing:
            # The wait is ours, or a new one begins.
            self._turn(now, unread)
            return False
        if now - self._window < WINDOW_S:
            return False
        slow_body = self._in_body and not writing and self._body < LEAST_BYTES
        slow_reader = unread is not None and self._unread - unread < LEAST_BYTES
        self._turn(now, unread)
        return slow_body or slow_reader

    def _turn(self, now: float, unread: int | None) -> None:
        self._window, self._body = now, 0
        self._unread, self._writing = unread or 0, unread is not None
