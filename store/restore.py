"""Bringing a backup back: beside the home first, then in its place, at any moment one or the other.

    <home>/.tmp-...     being unpacked
    <home>/restored     whole and on disk: from now on it is what the home will be
    <home>/settling     everything old is gone; what is left in here has yet to go to its place

Whoever opens a home lets `settle` finish what a restore that was interrupted had decided.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from store import files, private, sums
from store.archive import Archive, Entry
from store.connections import check_structure
from store.errors import Damaged, NoSpace, TooNew
from store.inventory import Fault, inventory
from store.known import known_to
from store.migrations import unknown
from store.places import Places
from store.reading import reading

_SPARE = 64 << 20


def verify(archive: Archive, tell: Callable[[int], None] = lambda _: None) -> None:
    """Read all of a backup. TooNew; Damaged naming what is not what it was, or not in it."""
    _check_schema(archive)
    with TemporaryDirectory(prefix="hmi-verify-") as folder:
        places = Places(Path(folder))
        for count, entry in enumerate(archive.manifest.entries, start=1):
            # What says what else must be there is looked into; of the rest the sums are enough.
            if places.names_others(entry.name):
                _unpack(archive, entry, places)
            else:
                for _ in archive.read(entry):
                    pass
            tell(count)
        _check_whole(archive, places)


def restore(places: Places, archive: Archive, tell: Callable[[int], None] = lambda _: None) -> int:
    """Make the home what the backup says; how many files that are. Nobody else may have it open.

    Until all of it is on disk the old home is untouched, whatever happens. TooNew; Damaged;
    NoSpace.
    """
    _check_schema(archive)
    files.make_folder(places.root)
    settle(places)
    _check_room(places, archive)
    unfinished = files.temporary(places.root)
    try:
        fresh = Places(unfinished)
        for folder in (fresh.blobs, fresh.tables, fresh.backbones, fresh.corpora, fresh.datasets):
            files.make_folder(folder)
        for count, entry in enumerate(archive.manifest.entries, start=1):
            _unpack(archive, entry, fresh)
            tell(count)
        _check_whole(archive, fresh)
        # One wait for all of them instead of one for each.
        os.sync()
        files.publish_folder(unfinished, places.arrived)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    settle(places)
    return len(archive.manifest.entries)


def settle(places: Places) -> bool:
    """Finish a restore that has decided, and remove what one that had not left behind; whether
    there was one. Nobody else may have it open."""
    files.sweep(places.root)
    stays = {places.arrived, places.settling, places.lock}
    if places.arrived.is_dir():
        gone = files.temporary(places.root)
        private.new_folder(gone)
        for path in [path for path in places.root.iterdir() if path not in {*stays, gone}]:
            path.rename(gone / path.name)
        files.fsync_folder(places.root)
        places.arrived.rename(places.settling)
        files.fsync_folder(places.root)
    if not places.settling.is_dir():
        return False
    for path in list(places.settling.iterdir()):
        path.rename(places.root / path.name)
    files.fsync_folder(places.root)
    places.settling.rmdir()
    files.sweep(places.root)
    files.fsync_folder(places.root)
    return True


def _check_schema(archive: Archive) -> None:
    if newer := unknown(archive.manifest.steps):
        raise TooNew(
            f"The backup {archive.path} was made by a newer version of hmi (step {newer[-1]})."
        )


def _check_room(places: Places, archive: Archive) -> None:
    need = sum(entry.bytes for entry in archive.manifest.entries) + _SPARE
    free = shutil.disk_usage(places.root).free
    if free < need:
        raise NoSpace(
            f"The backup needs {need >> 20} MiB beside the old home, and {free >> 20} MiB are free "
            f"on the disk of {places.root}."
        )


def _unpack(archive: Archive, entry: Entry, places: Places) -> None:
    path = places.root / entry.name
    files.make_folder(path.parent)
    with files.disk_errors(path), os.fdopen(private.new_file(path), "wb") as file:
        for chunk in archive.read(entry):
            file.write(chunk)
    if places.has_sum(entry.name):
        with os.fdopen(private.new_file(sums.sum_of(path)), "wb") as file:
            file.write(f"{entry.sha256}\n".encode())


def _check_whole(archive: Archive, places: Places) -> None:
    """Damaged if the catalogue refers to what the backup has not, and does not say so itself."""
    if archive.entry(places.name(places.catalogue)) is None:
        raise Damaged(f"The backup {archive.path} has no catalogue.")
    with reading(places.catalogue) as db:
        check_structure(db, places.catalogue)
        known = known_to(db)
    for each in inventory(places, known):
        wrong = each.what if isinstance(each, Fault) else None
        if not isinstance(each, Fault):
            entry = archive.entry(each.name)
            if entry is None:
                wrong = "it is not in the backup"
            elif each.sums is not None and entry.sha256 not in each.sums:
                wrong = "it is another than the catalogue knows"
        if wrong is not None and each.name not in archive.manifest.left_out:
            raise Damaged(f"The backup {archive.path} is not whole: {each.name}: {wrong}.")
