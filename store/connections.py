"""Connections to the catalogue's file: one that writes, behind a lock, and one a thread that reads.

SQLite allows one writer at a time; queueing for it here, rather than in SQLite, is fair and never
ends in "database is locked". In WAL mode readers neither wait for the writer nor make it wait.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from store.errors import Damaged, StoreError, TooNew
from store.files import disk_errors, make_folder
from store.migrations import MIGRATIONS, unknown_steps
from store.private import check_no_link
from store.reading import reading
from store.seal import Seal
from store.sqlite_errors import BUSY_TIMEOUT_MS, meaning

log = logging.getLogger(__name__)

_SETTINGS = (
    # In WAL mode NORMAL syncs at checkpoints alone: a power cut takes what was acknowledged since.
    "PRAGMA synchronous = FULL",
    # A checkpoint breaks the seal, so they come when this class says so.
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
)
LOG_BYTES = 4 << 20
"""So much is committed to the log before it goes into the file."""
_READ_MS = 100
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
        """Transactions committed here; what was read since the last of them still holds."""
        make_folder(path.parent)
        check_no_link(path)
        with disk_errors(path):
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.fchmod(handle, 0o600)
            os.close(handle)
        self._log = path.with_name(path.name + "-wal")
        self._log_limit = LOG_BYTES
        self._seal = Seal(path)
        try:
            sealed = self._sealed()
            with self._named_errors():
                self._writer = _connect(path)
            try:
                self._open(sealed=sealed)
            except BaseException:
                self._writer.close()
                raise
        except BaseException:
            self._seal.close()
            raise
        # Also when nobody closes it: SQLite's own closing would put the log into a sealed file.
        self._let_go = weakref.finalize(self, _finish, self._writer, self._seal)

    def _sealed(self) -> bool:
        try:
            return self._seal.holds()
        except Damaged:
            # What a newer version makes of its own file is not for this one to judge: TooNew.
            with suppress(Damaged), reading(self._path):
                pass
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
            if self._log_bytes() > self._log_limit:
                self._checkpoint()

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
            self._let_go()

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

    def _open(self, *, sealed: bool) -> None:
        with self._named_errors():
            if not sealed:
                check_structure(self._writer, self._path)
            newer = unknown_steps(self._writer)
            if newer:
                raise TooNew(
                    f"{self._path} was written by a newer version of hmi (step {newer[-1]})."
                )
            if self._writer.journal_mode != "wal":
                with self._seal.broken():
                    self._writer.enable_wal()
        if MIGRATIONS.pending(self._writer):
            with self.writing() as db:
                MIGRATIONS.apply(db)
        if not sealed:
            self._checkpoint()

    def _checkpoint(self) -> None:
        _checkpoint(self._writer, self._seal)
        self._log_limit = self._log_bytes() + LOG_BYTES

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """SQLite's errors that an operator can do something about, as the store's."""
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            named = meaning(error, self._path)
            if named is None:
                raise
            raise named from error


def _finish(writer: Database, seal: Seal) -> None:
    try:
        _checkpoint(writer, seal)
    finally:
        writer.close()
        seal.close()


def _checkpoint(writer: Database, seal: Seal) -> None:
    """Put what the log has into the file, and seal it. What fails here is tried again later:
    everything is in the log."""
    try:
        # Reads are short, and whoever reads for long must not hold up all who write.
        writer.execute(f"PRAGMA busy_timeout = {_READ_MS}")
        with seal.broken():
            busy = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if busy:
                raise BlockingIOError("somebody is reading")
    except (OSError, sqlite3.Error) as error:
        log.info("the catalogue's log stays for now: %s", error)
        seal.remove()
    finally:
        writer.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def check_structure(db: Database, path: Path) -> None:
    """Damaged if SQLite finds that pages or indexes of the catalogue do not fit together."""
    found = [next(iter(row.values())) for row in db.query("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise Damaged(f"The catalogue {path} is damaged: {'; '.join(map(str, found))}.")


def _connect(path: Path) -> Database:
    # Each connection is used by one thread at a time, but closed by whichever closes the catalogue.
    db = Database(sqlite3.connect(path, check_same_thread=False), execute_plugins=False)
    for setting in _SETTINGS:
        db.execute(setting)
    return db
