"""What is acknowledged is on the disk by then, in the order in which a power cut may come."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.archive import Archive
from store.backup import back_up
from store.catalogue import Catalogue
from store.places import Places
from store.restore import restore
from tests.store.acts import ACTS, Act, create
from tests.store.disk import watch
from tests.store.homes import make_home


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        yield catalogue


@pytest.fixture
def places(tmp_path: Path, catalogue: Catalogue) -> Places:
    return make_home(tmp_path / "home", catalogue)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_what_is_written_is_on_disk_before_it_is_acknowledged(
    places: Places, catalogue: Catalogue, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch(monkeypatch)
    # What the catalogue says must not be true earlier on disk than what it says it of.
    lost_at_commit: list[str] = []
    db = catalogue._connections._writer.conn
    db.set_trace_callback(
        lambda sql: lost_at_commit.extend(seen.lost() if sql.startswith("COMMIT") else [])
    )
    act(places, catalogue, 1)
    act(places, catalogue, 2)
    db.set_trace_callback(None)
    assert seen.renamed >= 2
    assert lost_at_commit == []
    assert seen.lost() == []


def test_the_catalogue_syncs_every_commit(catalogue: Catalogue) -> None:
    # Of SQLite's settings FULL (2) is the one that does in WAL mode.
    assert catalogue._connections._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert catalogue._connections.value("PRAGMA journal_mode") == "wal"


def test_the_watching_notices_what_is_not_synced(
    places: Places, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch(monkeypatch)
    monkeypatch.setattr("store.files.fsync_folder", lambda folder: None)
    create(places, catalogue, 1)
    assert "the names in" in str(seen.lost())
    monkeypatch.undo()
    seen = watch(monkeypatch)
    monkeypatch.setattr("store.files.fsync_file", lambda path: None)
    create(places, catalogue, 2)
    assert "before its content" in str(seen.lost())


def test_a_restore_decides_only_when_everything_is_on_disk(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(places, tmp_path / "backup")
    order: list[str] = []
    home = Places(tmp_path / "other")
    monkeypatch.setattr(os, "sync", lambda: order.append("sync"))
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        order.append("decided" if Path(target) == home.arrived else "later")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with Archive(tmp_path / "backup") as archive:
        restore(home, archive)
    assert order[:2] == ["sync", "decided"]
    assert "decided" not in order[2:]
    shutil.rmtree(home.root)
