"""Opening a catalogue to read it, without changing a bit of it or leaving anything beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from store.errors import Damaged, InUse, TooNew
from store.migrations import unknown_steps
from store.sqlite_errors import BUSY_TIMEOUT_MS, meaning


@contextmanager
def reading(path: Path) -> Iterator[Database]:
    """The catalogue at `path`, of this version or an earlier one; an engine may be using it.

    Damaged if SQLite cannot read it; DiskFailed; TooNew; InUse if an engine opened it just now, or
    somebody else has it.
    """
    log = path.with_name(path.name + "-wal")
    # Without a log nobody has it open, and all that SQLite would do is make one. With a log, the
    # last connection that may write would put it into the file when it closes.
    how = "mode=ro" if log.exists() else "mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            db = Database(connection, execute_plugins=False)
            if newer := unknown_steps(db):
                raise TooNew(f"{path} was written by a newer version of hmi (step {newer[-1]}).")
            yield db
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        unread = Damaged(f"The catalogue {path} cannot be read: {error}.")
        raise (meaning(error, path) or unread) from error
    if "immutable" in how and log.exists():
        raise InUse(f"An engine has just opened {path}.", remedy="Try again.")
