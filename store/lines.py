"""Checking text as it arrives: UTF-8, no NUL bytes, no endless line."""

from __future__ import annotations

from store import disguises
from store.errors import BadText

MAX_LINE_BYTES = 1 << 20
"""A longer line is refused: it is held in memory until it ends, and no document is that long."""


class LineChecker:
    """Fed with chunks cut anywhere; `documents` counts the lines that are not blank so far.

    Holds no more than a chunk and MAX_LINE_BYTES at a time. A byte order mark at the beginning
    and CR before LF belong to no document.
    """

    def __init__(self) -> None:
        self.documents = 0
        self._lines = 0
        self._head = b""
        """The first bytes of all, which tell what a file that is no text may be."""
        self._pending = bytearray()
        """The line that has not ended yet."""

    def feed(self, chunk: bytes) -> None:
        """BadText giving the number, from 1, of the first line that is not text, and the byte."""
        self._head += chunk[: disguises.HEAD - len(self._head)]
        end = chunk.rfind(b"\n") + 1
        self._pending += chunk[:end] if end else chunk
        if end:
            self._check(bytes(self._pending))
            self._pending = bytearray(chunk[end:])
        if len(self._pending) > MAX_LINE_BYTES:
            # Not waited for: without an end in sight it would fill the memory.
            raise self._too_long(self._lines, bytes(self._pending))

    def finish(self) -> None:
        """Check what came after the last line end."""
        if self._pending:
            self._check(bytes(self._pending))
            self._pending = bytearray()

    def _check(self, block: bytes) -> None:
        """`block` holds whole lines."""
        nul = block.find(b"\0")
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            if nul < 0 or error.start < nul:
                raise self._not_text(block, error.start) from error
        if nul >= 0:
            raise self._not_text(block, nul)
        if len(block) > MAX_LINE_BYTES:
            for index, line in enumerate(block.split(b"\n")):
                if len(line) > MAX_LINE_BYTES:
                    raise self._too_long(self._lines + index, line)
        if not self._lines:
            text = text.removeprefix("\ufeff")
        lines = text.removesuffix("\n").split("\n")
        self.documents += sum(1 for line in lines if line.strip())
        self._lines += len(lines)

    def _not_text(self, block: bytes, at: int) -> BadText:
        """The error for the byte `at` of `block`."""
        number = self._lines + block.count(b"\n", 0, at) + 1
        start = block.rfind(b"\n", 0, at) + 1
        text, end, _ = block[start:].partition(b"\n")
        what, place = block[at], f"byte {at - start + 1} of the line"
        detail = (
            f"Line {number} has a NUL byte ({place})"
            if what == 0
            else f"Line {number} is not UTF-8: {place} is 0x{what:02X}"
        )
        # A line may be the beginning of another file: many can be sent as one text.
        seems = (
            disguises.of_head(self._head)
            or disguises.of_head(text[: disguises.HEAD])
            or disguises.of_line(text + end, at - start)
        )
        return BadText(f"{detail}. It looks like {seems.looks}.", remedy=seems.remedy, line=number)

    def _too_long(self, before: int, line: bytes) -> BadText:
        detail = f"Line {before + 1} has over {MAX_LINE_BYTES >> 20} MiB."
        remedy = "Split it: one document a line."
        if b"\r" in line.rstrip(b"\r"):
            # As files of old Macintoshes have it.
            detail += " Its lines seem to end in CR alone."
            remedy = r"Convert it first: tr '\r' '\n' < FILE."
        return BadText(detail, remedy=remedy, line=before + 1)
