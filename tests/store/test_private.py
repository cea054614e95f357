"""What a store writes is its owner's alone, whatever the umask, and goes through no link."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import sums, whole_files
from store.archive import Archive
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.errors import BadInput
from store.places import Places
from store.restore import restore
from tests.store.acts import ACTS
from tests.store.homes import add_vplm, make_home


@pytest.fixture(params=[0, 0o022, 0o777], ids=oct)
def _umask(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    (tmp_path / "checkpoint").mkdir()
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_umask")
def test_files_are_0600_and_folders_0700_under_any_umask(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    for name in ("config.json", "model.safetensors"):
        (checkpoint / name).touch()
        (checkpoint / name).chmod(0o600)
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        places = make_home(tmp_path / "home", catalogue)
        for act in ACTS:
            act(places, catalogue, 1)
        check_modes(places.root)
    with Archive(tmp_path / "backup") as archive:
        restore(Places(tmp_path / "other"), archive)
    check_modes(tmp_path / "other")
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o600


def check_modes(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.lstat().st_mode) == expected, path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Places, Catalogue]]:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        yield make_home(tmp_path / "home", catalogue), catalogue


def test_a_folder_that_is_a_link_is_not_written_through(
    home: tuple[Places, Catalogue], tmp_path: Path
) -> None:
    places, catalogue = home
    elsewhere = tmp_path / "elsewhere"
    for folder in (places.corpora, places.datasets / "acme", places.root / "training"):
        folder.rename(tmp_path / "away")
        elsewhere.mkdir()
        folder.symlink_to(elsewhere)
        with pytest.raises(BadInput, match=f"{folder} is a symbolic link"):
            sums.write_whole(folder / "file", b"content")
        assert list(elsewhere.iterdir()) == []
        folder.unlink()
        elsewhere.rmdir()
        (tmp_path / "away").rename(folder)
    blob = add_vplm(places, catalogue, "first", 123)
    BlobStore(places.blobs).delete(blob)
    folder = BlobStore(places.blobs).path(blob).parent
    folder.rmdir()
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)
    with pytest.raises(BadInput, match=f"{folder} is a symbolic link"):
        add_vplm(places, catalogue, "second", 123)
    assert list(elsewhere.iterdir()) == []


def test_a_file_that_is_a_link_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"of somebody else")
    link = tmp_path / "folder" / "file"
    link.parent.mkdir()
    link.symlink_to(target)
    whole_files.write_whole(link, b"ours")
    assert target.read_bytes() == b"of somebody else"
    assert not link.is_symlink()


def test_a_catalogue_that_is_a_link_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch(0o644)
    (tmp_path / "catalogue.db").symlink_to(target)
    with pytest.raises(BadInput, match="symbolic link"):
        Catalogue(tmp_path / "catalogue.db")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
