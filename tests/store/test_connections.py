from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from store.catalogue import Catalogue
from store.connections import Connections
from store.errors import Damaged, InUse, NoSpace, StoreError, TooNew
from store.migrations import MIGRATIONS
from store.rows import TenantRow


def test_the_catalogue_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "catalogue.db"
    with Catalogue(path):
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_a_catalogue_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    path.touch()
    path.chmod(0o644)
    with Catalogue(path):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("pragma", "value"), [("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 5000)]
)
def test_every_connection_has_the_same_settings(tmp_path: Path, pragma: str, value: int) -> None:
    connections = Connections(tmp_path / "catalogue.db")
    sql = f"PRAGMA {pragma}"
    assert connections.value(sql) == value
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(connections.value, sql).result() == value
    with connections.writing() as db:
        assert db.execute(sql).fetchone()[0] == value
    assert connections.value("PRAGMA journal_mode") == "wal"
    connections.close()


def test_readers_cannot_write(tmp_path: Path) -> None:
    connections = Connections(tmp_path / "catalogue.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connections.value("delete from tenants returning name")
    connections.close()


def test_opening_again_finds_what_was_there(tmp_path: Path, tenant: TenantRow) -> None:
    path = tmp_path / "catalogue.db"
    with Catalogue(path) as catalogue:
        catalogue.tenants.add(tenant)
    with Catalogue(path) as catalogue:
        assert catalogue.tenants.get("acme") == tenant


def test_every_migration_is_recorded_and_its_schema_is_strict(tmp_path: Path) -> None:
    Catalogue(tmp_path / "catalogue.db").close()
    with Database(tmp_path / "catalogue.db") as db:
        assert MIGRATIONS.pending(db) == []
        tables = [table for table in db.tables if not table.name.startswith(("_", "sqlite_"))]
        assert {table.name for table in tables} == {
            "adapters",
            "backbones",
            "datasets",
            "domains",
            "epochs",
            "jobs",
            "keys",
            "knowledge",
            "secrets",
            "starters",
            "tenants",
            "usage",
            "versions",
            "vplms",
        }
        assert all(table.strict for table in tables)


def test_a_catalogue_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    Catalogue(path).close()
    with Database(path) as db:
        db.table("_sqlite_migrations").insert(
            {"migration_set": "hmi", "name": "m999_from_the_future", "applied_at": "later"}
        )
    before = path.read_bytes()
    with pytest.raises(TooNew, match="m999_from_the_future") as caught:
        Catalogue(path)
    assert caught.value.code == "schema_too_new"
    assert path.read_bytes() == before


def test_a_file_that_is_no_catalogue_is_damage_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.db"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(Damaged, match=str(path)):
        Catalogue(path)
    assert path.read_bytes().startswith(b"something else")


def test_a_full_disk_is_no_space_and_the_transaction_is_undone(
    empty: Catalogue, tenant: TenantRow
) -> None:
    with empty._connections.writing() as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NoSpace, match=r"catalogue\.db"):
        empty.tenants.add(replace(tenant, quota={"x" * 100_000: None}))
    assert empty.tenants.count() == 0
    empty.tenants.add(tenant)


def test_a_catalogue_held_by_another_program_says_so(
    empty: Catalogue, tenant: TenantRow, tmp_path: Path
) -> None:
    empty._connections._writer.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "data" / "catalogue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InUse, match="Another program"):
        empty.tenants.add(tenant)
    other.execute("ROLLBACK")
    other.close()
    empty.tenants.add(tenant)


def test_a_closed_catalogue_says_so_and_closes_twice(empty: Catalogue, tenant: TenantRow) -> None:
    empty.close()
    empty.close()
    with pytest.raises(StoreError, match="closed"):
        empty.tenants.count()
    with pytest.raises(StoreError, match="closed"):
        empty.tenants.add(tenant)


def test_a_transaction_that_fails_leaves_no_trace(empty: Catalogue, tenant: TenantRow) -> None:
    def fail_after_writing() -> None:
        with empty._connections.writing() as db:
            empty.tenants._rows.insert(db, [tenant])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_writing()
    assert empty.tenants.count() == 0


def test_readers_see_whole_transactions_while_many_threads_write(
    empty: Catalogue, tenant: TenantRow
) -> None:
    done = threading.Event()
    odd: list[int] = []

    def write_pairs(thread: int) -> None:
        for i in range(20):
            names = [f"t{thread}-{i}-{half}" for half in "ab"]
            with empty._connections.writing() as db:
                empty.tenants._rows.insert(db, [replace(tenant, name=name) for name in names])

    def watch() -> None:
        while not done.is_set():
            count = empty.tenants.count()
            if count % 2:
                odd.append(count)

    with ThreadPoolExecutor(6) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        writers = [pool.submit(write_pairs, thread) for thread in range(4)]
        for writer in writers:
            writer.result()
        done.set()
        for watcher in watchers:
            watcher.result()
    assert odd == []
    assert empty.tenants.count() == 160


def test_a_thread_that_ends_takes_its_connection_with_it(empty: Catalogue) -> None:
    threads = [threading.Thread(target=empty.tenants.count) for _ in range(10)]
    for thread in threads:
        thread.start()
        thread.join()
    assert len(empty._connections._readers) <= 1
