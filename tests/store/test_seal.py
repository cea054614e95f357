from __future__ import annotations

import errno
import gc
import os
import sqlite3
from pathlib import Path

import pytest

from store.catalogue import Catalogue
from store.connections import LOG_BYTES, Connections
from store.errors import Damaged
from store.rows import TenantRow
from store.seal import Seal
from store.sums import sum_of
from tests.store.homes import flip


def tenant(name: str) -> TenantRow:
    return TenantRow(name, 1.0, {}, f"digest-{name}", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "catalogue.db"
    with Catalogue(path) as catalogue:
        catalogue.tenants.add(tenant("acme"))
    return path


def sealed(path: Path) -> bool:
    seal = Seal(path)
    try:
        return seal.holds()
    finally:
        seal.close()


def test_a_catalogue_is_sealed_from_its_making_on(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    with Catalogue(path):
        assert sealed(path)
    assert sealed(path)
    assert sum_of(path).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", [0, 30, 4096, -1])
def test_any_bit_that_changes_is_noticed_before_anything_is_read(path: Path, place: int) -> None:
    flip(path, place, 3)
    with pytest.raises(Damaged, match=r"catalogue\.db does not match its checksum") as caught:
        Catalogue(path)
    assert "hmi restore" in caught.value.remedy


@pytest.mark.parametrize("bit", range(8))
def test_so_is_one_of_the_seal_itself(path: Path, bit: int) -> None:
    flip(sum_of(path), 0, bit)
    with pytest.raises(Damaged, match=r"catalogue\.db"):
        Catalogue(path)


def test_a_process_that_died_while_it_served_leaves_a_seal_that_holds(path: Path) -> None:
    abandoned = Connections(path)
    with abandoned.writing() as db:
        db.execute("update tenants set weight = 2")
    assert sealed(path)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.get("acme").weight == 2
    abandoned.close()


def test_a_catalogue_that_nobody_closed_is_sealed_as_it_was_left(path: Path) -> None:
    forgotten = Connections(path)
    with forgotten.writing() as db:
        db.execute("update tenants set weight = 3")
    # Closed by the interpreter, SQLite puts the log into the file.
    del forgotten, db
    gc.collect()
    assert not path.with_name("catalogue.db-wal").exists()
    assert sealed(path)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.get("acme").weight == 3


def test_a_checkpoint_that_cannot_seal_leaves_no_seal_rather_than_a_wrong_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(handle: int, length: int) -> None:
        raise OSError(errno.EIO, "broken")

    with Catalogue(path) as catalogue:
        catalogue.tenants.add(tenant("globex"))
        monkeypatch.setattr(os, "ftruncate", failing)
    monkeypatch.undo()
    assert not sealed(path)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.count() == 2
    assert sealed(path)


def test_one_that_died_in_a_checkpoint_leaves_none_and_the_structure_is_looked_at(
    path: Path,
) -> None:
    seal = Seal(path)
    with pytest.raises(InterruptedError), seal.broken():
        raise InterruptedError
    seal.close()
    assert not sealed(path)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.get("acme").weight == 1
    assert sealed(path)
    seal = Seal(path)
    with pytest.raises(InterruptedError), seal.broken():
        raise InterruptedError
    seal.close()
    page = 4096
    path.write_bytes(path.read_bytes()[:page] + bytes(page) + path.read_bytes()[2 * page :])
    with pytest.raises(Damaged, match=r"catalogue\.db"):
        Catalogue(path)


def test_the_log_goes_into_the_file_when_it_is_long_and_the_seal_holds(path: Path) -> None:
    log = path.with_name("catalogue.db-wal")
    with Catalogue(path) as catalogue:
        before = path.stat().st_size
        most = 0
        while path.stat().st_size == before:
            assert most < 2 * LOG_BYTES
            with catalogue._connections.writing() as db:
                db.execute("update tenants set key_digest = hex(zeroblob(300000))")
            most = max(most, log.stat().st_size)
        assert log.stat().st_size < most
        assert sealed(path)


def test_a_reader_elsewhere_does_not_hold_a_writer_up(path: Path) -> None:
    reader = sqlite3.connect(path)
    with Catalogue(path) as catalogue:
        reader.execute("begin")
        reader.execute("select * from tenants").fetchall()
        for _ in range(12):
            with catalogue._connections.writing() as db:
                db.execute("update tenants set key_digest = hex(randomblob(300000))")
        reader.rollback()
        reader.close()
        catalogue.tenants.add(tenant("globex"))
    assert sealed(path)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.count() == 2
