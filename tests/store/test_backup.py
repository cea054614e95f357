"""A backup says what the home was at one moment, and brings it back."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from store import files
from store.archive import Archive
from store.backup import back_up
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.corpus_files import CorpusFiles
from store.errors import Damaged, DiskFailed, NoSpace, NotFound, TooNew
from store.fsck import check_home
from store.places import Places
from store.restore import restore, settle, verify
from store.rows import KeyRow
from tests.store.homes import VPLMS, add_vplm, contents, flip, make_home, put_dataset


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        yield catalogue


@pytest.fixture
def places(tmp_path: Path, catalogue: Catalogue) -> Places:
    return make_home(tmp_path / "home", catalogue)


def rows(places: Places) -> object:
    """All that the catalogue holds, keys and the secret that they are hashed with among it."""
    with Catalogue(places.catalogue) as catalogue:
        return list(catalogue._connections._reader().conn.iterdump())


def brought_back(file: Path, root: Path) -> Places:
    with Archive(file) as archive:
        verify(archive)
        restore(Places(root), archive)
    return Places(root)


def test_what_comes_back_is_what_went_in(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    catalogue.keys.add(KeyRow("hmi-a", "acme", "digest", ("infer",), 1.0))
    made = back_up(places, tmp_path / "backup")
    assert made.faults == ()
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    again = brought_back(tmp_path / "backup", tmp_path / "other")
    assert contents(again) == contents(places)
    assert rows(again) == rows(places)
    assert check_home(again).faults == ()
    assert made.files == len([name for name in contents(places) if not name.endswith(".sum")]) + 1
    modes = {path.stat().st_mode & 0o777 for path in again.root.rglob("*")}
    assert modes == {0o600, 0o700}


def test_a_restore_replaces_all_that_was_there(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    back_up(places, tmp_path / "backup")
    before = contents(places)
    add_vplm(places, catalogue, "late", 77)
    put_dataset(places, catalogue, "more", "late")
    catalogue.close()
    brought_back(tmp_path / "backup", places.root)
    assert contents(places) == before
    with Catalogue(places.catalogue) as again:
        assert again.vplms.count() == VPLMS


def test_a_later_backup_holds_only_what_is_new(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    full = back_up(places, tmp_path / "monday")
    blob = add_vplm(places, catalogue, "new", 77)
    with Archive(tmp_path / "monday") as base:
        tuesday = back_up(places, tmp_path / "tuesday", base)
    with Archive(tmp_path / "tuesday") as base:
        wednesday = back_up(places, tmp_path / "wednesday", base)
    with Archive(tmp_path / "tuesday") as made:
        copy = made.entry("catalogue.db")
    assert copy is not None
    assert full.new_bytes == full.bytes
    assert tuesday.new_bytes == BlobStore(places.blobs).bytes(blob) + copy.bytes
    assert wednesday.new_bytes <= copy.bytes
    for day in ("tuesday", "wednesday"):
        again = brought_back(tmp_path / day, tmp_path / f"of-{day}")
        assert contents(again) == contents(places)


def test_one_that_rests_on_another_says_so_when_that_is_not_there(
    places: Places, tmp_path: Path
) -> None:
    back_up(places, tmp_path / "monday")
    with Archive(tmp_path / "monday") as base:
        back_up(places, tmp_path / "tuesday", base)
    (tmp_path / "monday").rename(tmp_path / "elsewhere")
    with pytest.raises(NotFound, match="monday"):
        Archive(tmp_path / "tuesday")
    back_up(places, tmp_path / "monday")
    with pytest.raises(Damaged, match="is not the backup that"):
        Archive(tmp_path / "tuesday")


def test_a_home_that_changes_all_the_time_is_backed_up_as_it_was_at_one_moment(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    stop = threading.Event()
    begun = threading.Event()
    blobs = BlobStore(places.blobs)

    def churn() -> None:
        number = 100
        while not stop.is_set():
            number += 1
            name = f"churn{number}"
            blob = add_vplm(places, catalogue, name, number)
            CorpusFiles(places.corpora).put("reviews", [f"corpus {number}\n".encode()])
            begun.set()
            catalogue.vplms.remove(f"acme/{name}")
            catalogue.adapters.remove(blob)
            blobs.delete(blob)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        assert begun.wait(20)
        for number in range(5):
            made = back_up(places, tmp_path / f"backup{number}")
            assert made.faults == ()
    finally:
        stop.set()
        thread.join(20)
    for number in range(5):
        again = brought_back(tmp_path / f"backup{number}", tmp_path / f"other{number}")
        assert check_home(again).faults == ()


def test_a_backup_and_a_restore_on_a_full_disk_say_so_and_leave_nothing(
    places: Places, tmp_path: Path
) -> None:
    """Also where SQLite writes, and Python's own files."""
    back_up(places, tmp_path / "whole")
    before, made = contents(places), (tmp_path / "whole").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    other = Places(tmp_path / "other")
    try:
        for most in (1, 5000, made // 2):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
            with pytest.raises((NoSpace, DiskFailed)) as failed:
                back_up(places, tmp_path / "backup")
            assert str(tmp_path) in failed.value.detail
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        with Archive(tmp_path / "whole") as archive, pytest.raises(DiskFailed):
            restore(other, archive)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "whole", "checkpoint", "other"}
    assert [path for path in other.root.rglob("*") if path.is_file()] == []
    assert contents(places) == before


def test_a_damaged_file_is_left_out_and_named(places: Places, tmp_path: Path) -> None:
    blob = next(BlobStore(places.blobs).ids())
    path = BlobStore(places.blobs).path(blob)
    flip(path)
    made = back_up(places, tmp_path / "backup")
    (fault,) = made.faults
    assert str(path) in fault.what
    again = brought_back(tmp_path / "backup", tmp_path / "other")
    assert not BlobStore(again.blobs).exists(blob)
    assert [each.name for each in check_home(again).faults] == [fault.name]


def test_a_backup_in_which_a_bit_changed_is_refused_and_the_home_stays(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    back_up(places, file)
    catalogue.close()
    before = contents(places)
    whole = file.read_bytes()
    places_of_content = [whole.index(b"a good film"), whole.index(b"left_out"), 600]
    for at in places_of_content:
        flip(file, at, 2)
        with pytest.raises(Damaged, match="backup"):
            brought_back(file, places.root)
        with pytest.raises(Damaged, match="backup"), Archive(file) as archive:
            restore(places, archive)
        file.write_bytes(whole)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Damaged, match="backup"):
        Archive(file)
    assert contents(places) == before


def test_a_backup_of_a_newer_schema_is_refused_and_the_home_stays(
    places: Places, catalogue: Catalogue, tmp_path: Path
) -> None:
    back_up(places, tmp_path / "old")
    with catalogue._connections.writing() as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) "
            "values ('hmi', 'm999_from_the_future', '2030')"
        )
    catalogue.close()
    with pytest.raises(TooNew, match="m999"):
        back_up(places, tmp_path / "new")
    before = contents(places)
    with Archive(tmp_path / "old") as archive:
        object.__setattr__(archive.manifest, "steps", ("m999_from_the_future",))
        with pytest.raises(TooNew, match="m999"):
            restore(places, archive)
        with pytest.raises(TooNew, match="m999"):
            verify(archive)
    assert contents(places) == before


class _PowerCut(Exception):
    pass


def test_whenever_a_restore_is_interrupted_the_home_is_the_old_one_or_the_new_one(
    places: Places, catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(places, tmp_path / "backup")
    new = contents(places)
    add_vplm(places, catalogue, "late", 77)
    catalogue.close()
    old = contents(places)
    assert old != new
    keep = tmp_path / "keep"
    places.root.rename(keep)
    with Archive(tmp_path / "backup") as archive, monkeypatch.context() as patched:
        calls = _cut_at(patched, None)
        restore(Places(shutil.copytree(keep, tmp_path / "whole")), archive)
    seen = {"old": 0, "new": 0}
    # Removing what was there is one thing many times.
    decided = calls.index("sync") + 1
    near = range(1, decided + 12)
    for step in [*near, *range(near.stop, len(calls), 9)]:
        root = tmp_path / f"home{step}"
        shutil.copytree(keep, root)
        with monkeypatch.context() as patched, Archive(tmp_path / "backup") as archive:
            _cut_at(patched, step)
            # How many steps there are at the end depends on the order of names.
            with suppress(_PowerCut):
                restore(Places(root), archive)
        settle(Places(root))
        files.sweep(root)
        now = contents(Places(root))
        assert now in (old, new)
        seen["old" if now == old else "new"] += 1
    assert min(seen.values()) > 3


def _cut_at(patched: pytest.MonkeyPatch, step: int | None) -> list[str]:
    """Nothing that changes a name happens from the `step`-th time on: the power is gone. What was
    asked for."""
    asked: list[str] = []
    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "sync"):
        real = getattr(os, name)

        def call(
            *arguments: object, _name: str = name, _real: object = real, **options: object
        ) -> object:
            asked.append(_name)
            if step is not None and len(asked) >= step:
                raise _PowerCut
            return _real(*arguments, **options)  # type: ignore[operator]

        patched.setattr(os, name, call)
    return asked
