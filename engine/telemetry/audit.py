"""The audit log: a line of JSON for each call that changes something, only ever added to.

A full file is put aside under its name with a number, and a new one begun; the oldest goes when
there are too many. A line is there before its call is answered. It is handed to the system at
once, so that it outlives the engine, but not forced to the disk: a power cut may take the last.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from engine.schema import AuditEntry
from store.files import write_fully

MAX_BYTES = 16 << 20
KEEP = 8
"""Files put aside."""

_ID = re.compile(rb'\{"id":(\d+),')

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trail:
    """So many entries are there; after each of `gaps`, the id of one, some are missing."""

    entries: int
    gaps: tuple[int, ...]


def trail_of(path: Path, keep: int = KEEP) -> Trail:
    """What the log at `path` has, with the files put aside; an engine may be adding to it."""
    entries, gaps, last = 0, [], 0
    for each in reversed(_files(path, keep)):
        try:
            content = each.read_bytes()
        except FileNotFoundError:
            continue
        for line in content.splitlines():
            # What was cut off when the machine stopped is begun again under the same number.
            if (found := _ID.match(line)) is None or not line.endswith(b"}"):
                continue
            number = int(found[1])
            if entries and number != last + 1:
                gaps.append(last)
            entries, last = entries + 1, number
    return Trail(entries, tuple(gaps))


class AuditLog:
    """At `path`, mode 0600, in a folder that is made. Thread-safe; `close` once."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._lock = threading.Lock()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._last = next((entry.id for entry in self._newest_first()), 0)
        self._file = self._opened()

    def add(self, entry: AuditEntry) -> None:
        """Write it down under the next id. If that fails, the engine's log says what was to be
        written: serving goes on."""
        with self._lock:
            numbered = entry.model_copy(update={"id": self._last + 1})
            line = numbered.model_dump_json().encode() + b"\n"
            try:
                self._make_room(len(line))
                self._append(line)
            except OSError as error:
                log.error("the audit log cannot be written (%s): %s", error, line.decode())
                return
            self._last = numbered.id

    def page(self, q: str, limit: int, before: int | None) -> tuple[list[AuditEntry], int | None]:
        """At most `limit` entries that contain `q`, the newest first, of those with an id below
        `before`; and that bound for the next, None if there are no more."""
        found: list[AuditEntry] = []
        for entry in self._newest_first(q):
            if before is not None and entry.id >= before:
                continue
            if len(found) == limit:
                return found, found[-1].id
            found.append(entry)
        return found, None

    def close(self) -> None:
        with self._lock:
            os.close(self._file)
            self._file = -1

    def _opened(self) -> int:
        # Nobody's link is followed: what is written here is for the operator's eyes.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, 0o600)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            # A line that was cut off must not swallow the next.
            os.write(file, b"\n")
        return file

    def _append(self, line: bytes) -> None:
        """All of it or, if the disk takes a part only, nothing."""
        before = os.fstat(self._file).st_size
        try:
            write_fully(self._file, line)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def _make_room(self, more: int) -> None:
        if os.fstat(self._file).st_size + more <= self._max_bytes:
            return
        # Not there: an attempt before this one has put it aside, and could not begin the next.
        if self._path.exists():
            for number in range(self._keep - 1, 0, -1):
                aside = _aside(self._path, number)
                if aside.exists():
                    aside.rename(_aside(self._path, number + 1))
            self._path.rename(_aside(self._path, 1))
        # What is closed first may be another file by the time it is written to.
        full, self._file = self._file, self._opened()
        os.close(full)

    def _newest_first(self, q: str = "") -> Iterator[AuditEntry]:
        wanted = q.encode()
        for path in _files(self._path, self._keep):
            try:
                lines = path.read_bytes().splitlines()
            except FileNotFoundError:
                continue
            for line in reversed(lines):
                if wanted not in line:
                    continue
                try:
                    yield AuditEntry.model_validate_json(line)
                except ValidationError:
                    # Cut off when the machine stopped.
                    continue


def _files(path: Path, keep: int) -> list[Path]:
    """The newest first."""
    return [path, *(_aside(path, number) for number in range(1, keep + 1))]


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
