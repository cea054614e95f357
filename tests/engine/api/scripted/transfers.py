"""What goes in and out as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.engine.api.scripted.script import Script


class Transfers(Script):
    """Keeps what it receives; sends `file`."""

    def _script(self) -> None:
        super()._script()
        self.file = Path(__file__)
        self.received = bytearray()
        self.chunks = 0
        self.upload_error: BaseException | None = None

    def _take(self, chunks: Iterator[bytes]) -> None:
        try:
            for chunk in chunks:
                self.received += chunk
                self.chunks += 1
                self._do("chunk")
        except BaseException as error:
            self.upload_error = error
            raise
