"""What is uploaded to learn from: bytes as they come, and what is wrong with which line."""

from __future__ import annotations

import io
from collections.abc import Iterable

from engine.errors import BadInput

SHOWN = 10
"""How many bad rows an error names."""


class ChunkReader(io.RawIOBase):
    """Chunks of bytes as a file, so that the standard library's readers can stream them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


class Faults:
    """Collects bad rows so that one answer names them all."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, line: int, what: str) -> None:
        self.count += 1
        if len(self._shown) < SHOWN:
            self._shown.append(f"line {line}: {what}")

    def check(self) -> None:
        if not self.count:
            return
        more = f" (and {self.count - SHOWN} more)" if self.count > SHOWN else ""
        raise BadInput(
            f"The dataset has {self.count} bad rows: {'; '.join(self._shown)}{more}.",
            remedy="Mend these rows and send it again; nothing was stored.",
            code="bad_rows",
        )
