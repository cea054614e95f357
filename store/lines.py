"""Checking text as it arrives: UTF-8, no NUL bytes, no endless line."""

from __future__ import annotations

from store.errors import BadText

MAX_LINE_BYTES = 1 << 20


class LineChecker:
    """Fed with chunks cut anywhere; `documents` counts the lines that are not blank so far."""

    def __init__(self) -> None:
        self.documents = 0
        self._lines = 0
        self._pending = bytearray()
        """The line that has not ended yet."""

    def feed(self, chunk: bytes) -> None:
        """BadText giving the number, from 1, of the first line that is not text."""
        end = chunk.rfind(b"\n") + 1
        self._pending += chunk[:end] if end else chunk
        if end:
            self._check(bytes(self._pending))
            self._pending = bytearray(chunk[end:])
        if len(self._pending) > MAX_LINE_BYTES:
            # Not waited for: without an end in sight it would fill the memory.
            raise self._too_long(self._lines)

    def finish(self) -> None:
        """Check what came after the last line end."""
        if self._pending:
            self._check(bytes(self._pending))
            self._pending = bytearray()

    def _check(self, block: bytes) -> None:
        """`block` holds whole lines."""
        if b"\0" in block:
            number = self._number(block, block.index(b"\0"))
            raise BadText(
                f"Line {number} has a NUL byte: this is a binary file or not UTF-8.",
                remedy="Give plain UTF-8 text, one document a line.",
            )
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            number = self._number(block, error.start)
            raise BadText(
                f"Line {number} is not UTF-8 ({error.reason}).",
                remedy="Convert the file first, for example with iconv -t UTF-8.",
            ) from error
        if len(block) > MAX_LINE_BYTES:
            for index, line in enumerate(block.split(b"\n")):
                if len(line) > MAX_LINE_BYTES:
                    raise self._too_long(self._lines + index)
        if not self._lines:
            text = text.removeprefix("\ufeff")
        lines = text.removesuffix("\n").split("\n")
        self.documents += sum(1 for line in lines if line.strip())
        self._lines += len(lines)

    def _number(self, block: bytes, offset: int) -> int:
        return self._lines + block.count(b"\n", 0, offset) + 1

    def _too_long(self, before: int) -> BadText:
        return BadText(
            f"Line {before + 1} has over {MAX_LINE_BYTES >> 20} MiB.",
            remedy="Split it: one document a line.",
        )
