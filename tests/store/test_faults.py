"""One thing at a time goes wrong with every call that writes: the act fails and says why, what the
catalogue knows is there, and the next act succeeds."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from store import files
from store.backbone_files import BackboneFiles
from store.blobs import BlobStore
from store.catalogue import Catalogue
from store.connections import Connections
from store.corpus_files import CorpusFiles
from store.dataset_files import DatasetFiles
from store.errors import DiskFailed, NoSpace, StoreError
from store.fsck import check_home
from store.places import Places
from store.tables import TableFiles
from store.traffic_files import TrafficFiles
from tests.store.acts import ACTS, Act, create, debris, make_backup, remove_domain
from tests.store.disk import Fault
from tests.store.homes import make_home

CODES = {
    errno.ENOSPC: "no_space",
    errno.EDQUOT: "no_space",
    errno.EIO: "disk_failed",
    errno.EACCES: "disk_failed",
    errno.EROFS: "disk_failed",
}
FAULTS = (errno.ENOSPC, None, errno.EIO, errno.EACCES)
"""None: the kernel takes a part of what is written."""


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_whichever_write_fails_the_act_fails_and_the_home_stays_whole(
    tmp_path: Path, act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        places = make_home(tmp_path / "home", catalogue)
        number = 0
        hit = set()
        # These two write so much that one kind is enough.
        for what in FAULTS[:1] if act in (make_backup, remove_domain) else FAULTS:
            at, fault = 0, None
            while fault is None or fault.hit is not None:
                at, number = at + 1, number + 1
                fault = Fault(at, what)
                failure = attempt(places, catalogue, act, number, fault, monkeypatch)
                if fault.hit is None or what is None:
                    # All of it was written, if need be in two parts.
                    assert failure is None
                    continue
                hit.add(fault.hit)
                if fault.hit in ("unlink", "rmdir"):
                    # What was in the way of nothing may stay; a start takes it away.
                    assert failure is None or failure.code == CODES[what]
                    sweep(places, catalogue)
                    assert debris(places.root) == []
                    assert check_home(places).faults == ()
                    continue
                assert failure is not None, f"{fault.hit} number {at} failed unnoticed"
                assert failure.code == CODES[what], f"{fault.hit} number {at}: {failure!r}"
                assert failure.remedy
                assert debris(tmp_path) == []
                assert check_home(places).faults == ()
            # Serving goes on.
            number += 1
            act(places, catalogue, number)
            assert check_home(places).faults == ()
        assert hit >= {"open", "fsync"}


def attempt(
    places: Places,
    catalogue: Catalogue,
    act: Act,
    number: int,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> StoreError | None:
    with monkeypatch.context() as patched:
        fault.arm(patched)
        try:
            act(places, catalogue, number)
        except StoreError as error:
            return error
    return None


def sweep(places: Places, catalogue: Catalogue) -> None:
    """As an engine does that starts."""
    domains = catalogue.domains.all()
    BlobStore(places.blobs).sweep(catalogue.blob_ids())
    TableFiles(places.tables).sweep({(row.name, row.epoch) for row in domains})
    TrafficFiles(places.tables).sweep({row.name for row in domains})
    CorpusFiles(places.corpora).sweep()
    DatasetFiles(places.datasets).sweep({row.path_name for row in catalogue.datasets.all()})
    BackboneFiles(places.backbones).sweep({row.sha256 for row in catalogue.backbones.all()})
    files.sweep(places.root / "training")


def create_many(places: Places, catalogue: Catalogue, count: int) -> None:
    for number in range(count):
        create(places, catalogue, number)


def write_note(connections: Connections, text: str) -> None:
    with connections.writing() as db:
        db.execute("insert into notes values (?)", [text])


def test_a_catalogue_on_a_full_disk_says_so_and_goes_on(tmp_path: Path) -> None:
    with Catalogue(tmp_path / "home" / "catalogue.db") as catalogue:
        places = make_home(tmp_path / "home", catalogue)
        writer = catalogue._connections._writer
        before = writer.execute("PRAGMA page_count").fetchone()[0]
        writer.execute(f"PRAGMA max_page_count = {before}")
        with pytest.raises(NoSpace):
            create_many(places, catalogue, 500)
        assert check_home(places).faults == ()
        writer.execute("PRAGMA max_page_count = 100000")
        create(places, catalogue, 1000)
        assert check_home(places).faults == ()


def test_a_catalogue_whose_disk_fails_says_so_and_goes_on(tmp_path: Path) -> None:
    connections = Connections(tmp_path / "catalogue.db")
    with connections.writing() as db:
        db.execute("create table notes (text)")
    log = tmp_path / "catalogue.db-wal"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel takes part of what is written next, and refuses the rest.
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 1000, before[1]))
    try:
        with pytest.raises(DiskFailed, match=r"catalogue\.db") as caught:
            write_note(connections, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "disk_failed"
    write_note(connections, "goes on")
    assert [row["text"] for row in connections.query("select text from notes")] == ["goes on"]
    connections.close()
    again = Connections(tmp_path / "catalogue.db")
    assert again.value("select count(*) from notes") == 1
    again.close()
