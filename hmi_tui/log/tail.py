"""Follows a file that grows, is emptied, replaced, or not there; never reads more than its tail."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

TAIL = 1 << 19
"""Bytes from the end that are read at first, and at most at a time."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at the file brought."""

    lines: tuple[str, ...] = ()
    began_anew: bool = False
    """Whether the file was emptied or another took its place since the last look."""
    left_out: int = 0
    """Bytes that were passed over, because they are further back than the tail."""
    problem: str = ""
    """Why there is nothing to read, with what to do."""


class LogTail:
    """`read` blocks for the disk: call it in a thread, one call at a time."""

    def __init__(self, path: Path, tail: int = TAIL) -> None:
        self.path = path
        self._tail = tail
        self._file: BinaryIO | None = None
        self._identity = (0, 0)
        self._at = 0
        self._rest = b""
        self._closed = False
        self._one = threading.Lock()
        """Whoever closes it waits for the reading that is under way."""

    def read(self) -> Reading:
        """The lines that were completed since the last call."""
        try:
            with self._one:
                return Reading() if self._closed else self._read()
        except FileNotFoundError:
            return Reading(
                problem=f"There is no log at {self.path}.\nAn engine that is started in the "
                "background (<start_engine:ctrl+s>) writes one; hmi serve writes to its own "
                "terminal, and under systemd to the journal (journalctl --user -u hmi)."
            )
        except OSError as error:
            return Reading(
                problem=f"{self.path} cannot be read: {error.strerror}.\n"
                "The user who started the engine may read it."
            )

    def close(self) -> None:
        """Read no more."""
        with self._one:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> Reading:
        known = self.path.stat()
        identity = (known.st_dev, known.st_ino)
        last: tuple[str, ...] = ()
        anew = False
        if self._file is not None and identity != self._identity:
            # Renamed away: what was written to it before that is read to its end first.
            last, _ = self._more(os.fstat(self._file.fileno()).st_size)
            self._let_go()
            anew = True
        if self._file is None:
            self._file = self.path.open("rb", buffering=0)
            self._identity, self._at, self._rest = identity, 0, b""
        elif known.st_size < self._at:
            self._at, self._rest, anew = 0, b"", True
        lines, left_out = self._more(known.st_size)
        return Reading(last + lines, anew, left_out)

    def _more(self, size: int) -> tuple[tuple[str, ...], int]:
        """The whole lines from where it is to `size`, and how many bytes were passed over."""
        assert self._file is not None
        left_out = max(0, size - self._at - self._tail)
        if left_out:
            self._at, self._rest = self._at + left_out, b""
        self._file.seek(self._at)
        data = self._file.read(self._tail) or b""
        self._at += len(data)
        *whole, rest = (self._rest + data).split(b"\n")
        if left_out:
            # It begins in the middle of a line.
            whole = whole[1:]
        # A line without an end is no line yet, but it may not grow for ever.
        self._rest = rest[-self._tail :]
        return tuple(line.decode(errors="replace") for line in whole), left_out
