"""Connections to the catalogue's file: one that writes, behind a lock, and one a thread that reads.

SQLite allows one writer at a time; queueing for it here, rather than in SQLite, is fair and never
ends in "database is locked". In WAL mode readers neither wait for the writer nor make it wait.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from store.errors import Damaged, InUse, NoSpace, StoreError, TooNew
from store.files import disk_errors, make_folder
from store.migrations import MIGRATIONS, unknown_steps

BUSY_TIMEOUT_MS = 5000
"""How long another process (a backup, fsck) may hold the file before a call gives up."""

_SETTINGS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)
Parameters = Sequence[Any] | dict[str, Any]


class _Reader:
    """A thread's connection; closed when the thread ends or with the catalogue."""

    def __init__(self, path: Path) -> None:
        self.db = _connect(path)
        self.db.execute("PRAGMA query_only = ON")
        self.close = weakref.finalize(self, self.db.conn.close)


class Connections:
    """Opens the file at `path` (making it, mode 0600) and brings its schema up to date.

    Raises TooNew if a newer version wrote it, Damaged if it is no catalogue.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write_lock = threading.Lock()
        self._readers_lock = threading.Lock()
        self._threads = threading.local()
        self._readers: weakref.WeakSet[_Reader] = weakref.WeakSet()
        self._closed = False
        self.writes = 0
        """Committed by this process; what was read since the last of them still holds."""
        make_folder(path.parent)
        with disk_errors(path):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            path.chmod(0o600)
        with self._named_errors():
            self._writer = _connect(path)
        try:
            self._migrate()
        except BaseException:
            self._writer.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """The writer inside one transaction: committed at the end, undone by any exception.

        Not to be nested. IMMEDIATE, because a transaction that begins by reading can find itself
        unable to write when another process has written since.
        """
        with self._write_lock, self._named_errors():
            self._check_open()
            db = self._writer
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.commit()
                self.writes += 1
            except BaseException:
                db.rollback()
                raise

    def query(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All rows of a SELECT, read as of now: no open cursor holds an old view of the file."""
        with self._named_errors():
            return list(self._reader().query(sql, parameters))

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """First column of the first row of a SELECT."""
        with self._named_errors():
            return self._reader().execute(sql, parameters).fetchone()[0]

    def close(self) -> None:
        """Close every connection; later calls raise StoreError. Harmless twice."""
        with self._write_lock, self._readers_lock:
            self._closed = True
            for reader in list(self._readers):
                reader.close()
            self._writer.close()

    def _reader(self) -> Database:
        self._check_open()
        reader: _Reader | None = getattr(self._threads, "reader", None)
        if reader is None:
            reader = _Reader(self._path)
            with self._readers_lock:
                self._check_open()
                self._readers.add(reader)
            self._threads.reader = reader
        return reader.db

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The catalogue is closed.", remedy="Start the engine again.")

    def _migrate(self) -> None:
        with self._named_errors():
            newer = unknown_steps(self._writer)
            if newer:
                raise TooNew(
                    f"{self._path} was written by a newer version of hmi (step {newer[-1]})."
                )
            self._writer.enable_wal()
        with self.writing() as db:
            MIGRATIONS.apply(db)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """SQLite's errors that an operator can do something about, as the store's."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            meaning = _meaning(error, self._path)
            if meaning is None:
                raise
            raise meaning from error


def _connect(path: Path) -> Database:
    # Each connection is used by one thread at a time, but closed by whichever closes the catalogue.
    db = Database(sqlite3.connect(path, check_same_thread=False), execute_plugins=False)
    for setting in _SETTINGS:
        db.execute(setting)
    return db


def _meaning(error: sqlite3.DatabaseError, path: Path) -> StoreError | None:
    # Without the extended part: SQLITE_BUSY_SNAPSHOT and others share SQLITE_BUSY's low byte.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return NoSpace(f"No space left to write {path}.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return Damaged(f"The catalogue {path} is damaged: {error}.")
        case sqlite3.SQLITE_BUSY:
            return InUse(
                f"Another program has held {path} for {BUSY_TIMEOUT_MS // 1000} s.",
                remedy="Wait for it to end (a backup), then try again.",
            )
    return None
