"""SQLite's errors that an operator can do something about, as the store's."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from store.errors import Damaged, DiskFailed, InUse, NoSpace, StoreError

BUSY_TIMEOUT_MS = 5000
"""How long another process (a backup, fsck) may hold the file before a call gives up."""


def meaning(error: sqlite3.DatabaseError, path: Path) -> StoreError | None:
    """What it says of the catalogue at `path`; None if it is a mistake of the caller's."""
    # Without the extended part: SQLITE_BUSY_SNAPSHOT and others share SQLITE_BUSY's low byte.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return NoSpace(f"No space left to write {path}.")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            return DiskFailed(f"{path} cannot be read or written: {error}.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Damaged(f"The catalogue {path} is damaged: {error}.")
        case sqlite3.SQLITE_BUSY:
            return InUse(
                f"Another program has held {path} for {BUSY_TIMEOUT_MS // 1000} s.",
                remedy="Wait for it to end (a backup), then try again.",
            )
    return None
