"""What the catalogue's file holds: its sha256, taken whenever SQLite has written to it.

In WAL mode SQLite changes the file itself only at a checkpoint; what comes between lies in the log
beside it, with checksums of SQLite's own. So a checkpoint that breaks the seal, and seals anew when
it has ended, leaves a file in which any bit that changes is noticed. A process that dies in between
leaves no seal, and then SQLite's own look at the structure has to do.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from store.errors import Damaged
from store.sums import sum_of

_MOST = 80
_SUM = re.compile(rb"[0-9a-f]{64}\n")


class Seal:
    """The seal of the file at `path`, in a file beside it. Several processes may use it.

    The file stays open until `close`, which comes after that of every connection: closing any
    handle of a file takes the process's locks on it away, SQLite's too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sum = sum_of(path)
        self._file = path.open("rb")

    def holds(self) -> bool:
        """Whether the file is what it was sealed as; False if it is not sealed. Damaged if a seal
        says otherwise."""
        try:
            handle = os.open(self._sum, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            said = os.pread(handle, _MOST, 0)
            if not said:
                return False
            if _SUM.fullmatch(said) is None:
                raise _damaged(f"The checksum {self._sum} is not one")
            if said.decode().strip() != self._sha256():
                raise _damaged(f"The catalogue {self._path} does not match its checksum")
        finally:
            os.close(handle)
        return True

    @contextmanager
    def broken(self) -> Iterator[None]:
        """While the file changes; sealed at the end, unless that fails. Nobody else is inside."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(self._sum, flags, 0o600)
        try:
            os.fchmod(handle, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            os.ftruncate(handle, 0)
            os.fsync(handle)
            yield
            os.pwrite(handle, f"{self._sha256()}\n".encode(), 0)
            os.fsync(handle)
        finally:
            os.close(handle)

    def remove(self) -> None:
        """Say nothing of the file any more, as far as the disk lets us."""
        with suppress(OSError):
            self._sum.unlink()

    def close(self) -> None:
        self._file.close()

    def _sha256(self) -> str:
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()


def _damaged(what: str) -> Damaged:
    return Damaged(
        f"{what}: a bit of it has changed, or another program wrote to it.",
        remedy="hmi restore FILE brings a backup back; hmi fsck --repair takes the catalogue as it "
        "is, if SQLite finds it sound.",
    )
