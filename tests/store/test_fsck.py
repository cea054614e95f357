"""A bit that changed in any file of a home is found and named; what can be put right is."""

from __future__ import annotations

from pathlib import Path

import pytest

from store import files, sums, whole_files
from store.archive import Archive
from store.backup import back_up
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.fsck import check_home, repair
from store.places import Places
from store.rows import KeyRow
from tests.store.homes import VPLMS, contents, flip, make_home


@pytest.fixture
def places(tmp_path: Path) -> Places:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        return make_home(tmp_path / "home", catalogue)


def every_file(places: Places) -> list[Path]:
    return sorted(path for path in places.root.rglob("*") if path.is_file())


def test_a_home_as_it_was_written_has_no_fault(places: Places) -> None:
    found = check_home(places)
    assert found.faults == ()
    assert found.files == len([p for p in every_file(places) if p.suffix != sums.SUFFIX])
    assert found.bytes == sum(
        p.stat().st_size for p in every_file(places) if p.suffix != sums.SUFFIX
    )


def test_a_flipped_bit_in_any_file_is_found_and_named(places: Places) -> None:
    kinds = set()
    for path in every_file(places):
        whole = path.read_bytes()
        for at in (0, len(whole) // 2, -1):
            flip(path, at, 1)
            found = check_home(places).faults
            assert found, f"byte {at} of {path} is not missed"
            assert str(path).removesuffix(sums.SUFFIX) in found[0].what
            path.write_bytes(whole)
        kinds.add(path.relative_to(places.root).parts[0])
    assert kinds == {
        *("blobs", "tables", "corpora", "datasets", "backbones", "training"),
        *("catalogue.db", "catalogue.db.sum"),
    }
    assert check_home(places).faults == ()


def test_a_file_that_is_gone_is_named(places: Places) -> None:
    hints = ("traffic.npz", "train-1.checkpoint")
    for path in every_file(places):
        if path.suffix == sums.SUFFIX or path.name in hints or path == places.catalogue:
            continue
        if places.backbones in path.parents and path.name != "config.json":
            continue
        away = path.with_name("away.tmp")
        path.rename(away)
        assert str(path) in str(check_home(places).faults)
        away.rename(path)


def test_a_link_in_place_of_a_file_is_named(places: Places, tmp_path: Path) -> None:
    path = places.corpora / "reviews.txt"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert f"{path} is a symbolic link" in check_home(places).faults[0].what


def test_a_row_that_refers_to_nothing_is_named(places: Places) -> None:
    with Catalogue(places.catalogue) as catalogue:
        catalogue._connections._writer.execute("PRAGMA foreign_keys = OFF")
        with catalogue._connections.writing() as db:
            db.execute("delete from tenants")
    assert "refer to nothing" in str(check_home(places).faults)


def test_a_key_of_nobody_and_a_lost_secret_are_named_and_ask_for_a_backup(places: Places) -> None:
    with Catalogue(places.catalogue) as catalogue:
        catalogue.keys.add(KeyRow("hmi-a", "acme", "digest", ("infer",), 1.0))
        assert check_home(places).faults == ()
        with catalogue._connections.writing() as db:
            db.execute("update keys set tenant = 'initech'")
            db.execute("delete from secrets")
    told = str(check_home(places).faults)
    assert "1 rows that refer to nothing" in told
    assert "has lost the secret" in told
    for done in repair(places, check_home(places).faults, None, alone=True):
        assert not done.mended
        assert "hmi restore" in done.done


def test_every_damaged_file_but_the_catalogue_comes_back_from_a_backup(
    places: Places, tmp_path: Path
) -> None:
    back_up(places, tmp_path / "backup")
    before = contents(places)
    for path in every_file(places):
        if path.name.startswith("catalogue.db"):
            continue
        flip(path, -1, 1)
        faults = check_home(places).faults
        with Archive(tmp_path / "backup") as archive:
            done = repair(places, faults, archive, alone=True)
        assert all(each.mended for each in done), done
        assert check_home(places).faults == (), path
        assert contents(places) == before, path


def test_a_backup_of_another_content_repairs_nothing(places: Places, tmp_path: Path) -> None:
    back_up(places, tmp_path / "backup")
    path = places.corpora / "reviews.txt"
    sums.write_whole(path, b"a newer corpus\n")
    flip(path)
    with Archive(tmp_path / "backup") as archive:
        (done,) = repair(places, check_home(places).faults, archive, alone=True)
    assert not done.mended
    assert "hmi domain corpus reviews" in done.done
    assert check_home(places).faults


def test_without_a_backup_hints_go_and_the_rest_says_what_to_do(places: Places) -> None:
    blob = next(BlobStore(places.blobs).ids())
    flip(BlobStore(places.blobs).path(blob))
    flip(places.tables / "reviews" / "000001" / "rows.npy")
    flip(places.tables / "reviews" / "traffic.npz")
    flip(places.root / "training" / "train-1.checkpoint")
    done = {
        each.fault.name.split("/")[0] + ":" + each.fault.name.split("/")[-1]: each
        for each in repair(places, check_home(places).faults, None, alone=True)
    }
    assert {name for name, each in done.items() if each.mended} == {
        "tables:traffic.npz",
        "training:train-1.checkpoint",
    }
    assert "hmi domain rebuild reviews" in done["tables:rows.npy"].done
    assert "--from" in done[f"blobs:{blob}.safetensors"].done
    assert len(check_home(places).faults) == 2


def test_a_checksum_that_is_one_digit_off_is_what_is_wrong_itself(places: Places) -> None:
    path = places.corpora / "reviews.txt"
    flip(sums.sum_of(path), 5, 0)
    (done,) = repair(places, check_home(places).faults, None, alone=True)
    assert done.mended
    assert check_home(places).faults == ()


def test_a_catalogue_that_sqlite_finds_sound_is_taken_as_it_is_when_nobody_uses_it(
    places: Places,
) -> None:
    flip(sums.sum_of(places.catalogue), 5, 0)
    faults = check_home(places).faults
    (waits,) = repair(places, faults, None, alone=False)
    assert not waits.mended
    assert "hmi stop" in waits.done
    (done,) = repair(places, faults, None, alone=True)
    assert done.mended
    with Catalogue(places.catalogue) as catalogue:
        assert catalogue.vplms.count() == VPLMS
    assert check_home(places).faults == ()


def test_one_that_it_cannot_read_asks_for_a_backup(places: Places) -> None:
    flip(places.catalogue, 3, 2)
    found = check_home(places)
    assert all(str(places.catalogue) in fault.what for fault in found.faults)
    assert not any(each.mended for each in repair(places, found.faults, None, alone=True))
    assert "hmi restore" in repair(places, found.faults, None, alone=True)[0].done


def test_what_nothing_refers_to_is_no_fault(places: Places) -> None:
    whole_files.write_whole(places.blobs / "ab" / f"{'ab' * 32}.safetensors", b"nobody's")
    files.temporary(places.corpora).write_bytes(b"half")
    assert check_home(places).faults == ()
