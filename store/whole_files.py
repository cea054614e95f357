"""A file that comes in piece by piece, and is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from store import files, private
from store.files import Chunk


class Incoming:
    """A file being received into `folder`: counted, hashed, then committed or gone.

    `bytes` and `sha256` (hex) describe what has been written so far. Leaving the context without
    `commit` leaves nothing behind.
    """

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        self.folder = folder
        self._hash = hashlib.sha256()
        self._path = files.temporary(folder)
        self._handle: int | None = None

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def __enter__(self) -> Self:
        files.make_folder(self.folder)
        with files.disk_errors(self._path):
            self._handle = private.new_file(self._path)
        return self

    def write(self, chunk: Chunk) -> None:
        handle = self._open_handle()
        rest = memoryview(chunk).cast("B")
        self._hash.update(rest)
        self.bytes += len(rest)
        with files.disk_errors(self._path):
            files.write_fully(handle, rest)

    def commit(self, name: str) -> Path:
        """Make the file last under `name` in its folder, replacing what was there."""
        final = self.folder / name
        with files.disk_errors(final):
            os.fsync(self._open_handle())
            self._close()
            self._path.replace(final)
            files.fsync_folder(self.folder)
        return final

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        files.discard(self._path)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise ValueError(f"{self._path} is not open for writing")
        return self._handle

    def _close(self) -> None:
        if self._handle is not None:
            handle, self._handle = self._handle, None
            os.close(handle)


def write_whole(path: Path, content: Chunk | Iterable[Chunk]) -> int:
    """Put `content` at `path`, all or nothing, replacing what was there; its bytes."""
    chunks = [content] if isinstance(content, Chunk) else content
    with Incoming(path.parent) as incoming:
        for chunk in chunks:
            incoming.write(chunk)
        incoming.commit(path.name)
        return incoming.bytes
