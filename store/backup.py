"""Making a backup, also while an engine changes the home.

The catalogue is copied as of one moment, by SQLite's own means, and then what that copy refers to.
Contents have names of their own, so what was taken stays right whatever happens; what an engine has
removed before its turn is no longer referred to by the next copy of the catalogue, which is then
the one that counts.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from store import private
from store.archive import Archive, ArchiveWriter, Entry, Manifest
from store.errors import Damaged, DiskFailed, InUse, NoSpace
from store.files import disk_errors, make_folder, temporary
from store.inventory import Fault, Kept, inventory
from store.known import Known, known_to
from store.places import Places
from store.reading import reading
from store.sqlite_errors import meaning
from store.whole_files import Incoming

_ROUNDS = 20
"""Each takes what is new since the one before, so they become short."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup of `files` that together have `bytes`, of which `new_bytes` were written. `faults`
    are files that are not in it, for the home has no sound copy."""

    files: int
    bytes: int
    new_bytes: int
    faults: tuple[Fault, ...]


def back_up(
    places: Places,
    target: Path,
    base: Archive | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> BackedUp:
    """Write `target`, whole or not at all, in place of what was there. `tell` hears of each file.

    InUse if the home changes faster than it can be read; NoSpace; Damaged if the catalogue is.
    """
    with Incoming(target.absolute().parent) as incoming, _workplace(target) as workplace:
        writer = ArchiveWriter(incoming, base)
        taking = _Taking(places, writer, tell)
        for number in range(_ROUNDS):
            copy = workplace / f"{number}.db"
            known = _copy_catalogue(places.catalogue, copy)
            found = taking.round(known)
            if found == taking.before:
                break
            taking.before = found
            copy.unlink()
        else:
            raise InUse(
                "The home changes faster than it can be read.", remedy="Try when it has less to do."
            )
        catalogue = writer.add(places.name(places.catalogue), copy, None)
        entries = (catalogue, *taking.entries.values())
        left_out = {fault.name: fault.what for fault in found.values()}
        writer.finish(Manifest(time.time(), known.steps, entries, writer.bases(), left_out))
        incoming.commit(target.name)
    fresh = {entry.sha256: entry.bytes for entry in entries if entry.base is None}
    return BackedUp(
        files=len(entries),
        bytes=sum(entry.bytes for entry in entries),
        new_bytes=sum(fresh.values()),
        faults=tuple(found.values()),
    )


class _Taking:
    """What has been taken so far. `entries` and what `round` returns are of the last round."""

    def __init__(self, places: Places, writer: ArchiveWriter, tell: Callable[[int], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self.before: dict[str, Fault] = {}
        self._places, self._writer, self._tell = places, writer, tell
        self._taken: dict[tuple[str, tuple[str, ...] | None], Entry] = {}

    def round(self, known: Known) -> dict[str, Fault]:
        """Take what has not been taken yet; what could not be, by name."""
        self.entries, faults = {}, {}
        for each in inventory(self._places, known):
            fault = each if isinstance(each, Fault) else self._take(each)
            if fault is not None:
                faults[each.name] = fault
        return faults

    def _take(self, kept: Kept) -> Fault | None:
        key = kept.name, kept.sums
        try:
            if key not in self._taken:
                if kept.path.is_symlink():
                    return Fault(kept.name, f"{kept.path} is a symbolic link.")
                self._taken[key] = self._writer.add(kept.name, kept.path, kept.sums)
                self._tell(len(self._taken))
        except FileNotFoundError:
            return Fault(kept.name, f"{kept.path} is missing.")
        except Damaged as error:
            return Fault(kept.name, error.detail)
        self.entries[kept.name] = self._taken[key]
        return None


@contextmanager
def _workplace(target: Path) -> Iterator[Path]:
    folder = temporary(target.absolute().parent)
    make_folder(folder.parent)
    with disk_errors(folder):
        private.new_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_catalogue(path: Path, copy: Path) -> Known:
    """Put a copy of the catalogue, as of one moment, at `copy`; what it refers to."""
    with reading(path) as db:
        target = sqlite3.connect(copy)
        try:
            db.conn.backup(target)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.DatabaseError as error:
            named = meaning(error, copy)
            # Anything else is the catalogue's own, and `reading` names it.
            if isinstance(named, NoSpace | DiskFailed):
                raise named from error
            raise
        finally:
            target.close()
    with reading(copy) as db:
        return known_to(db)
