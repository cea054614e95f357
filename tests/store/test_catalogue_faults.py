"""Each page of the log that a write of the catalogue needs is refused by the disk in its turn: the
write fails and says why, nothing of it is there, and the same write succeeds afterwards."""

from __future__ import annotations

import inspect
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from store.catalogue import Catalogue
from store.errors import DiskFailed, NoSpace
from store.rows import (
    AdapterRow,
    BackboneRow,
    DatasetRow,
    DomainRow,
    EpochRow,
    JobRow,
    KeyRow,
    StarterRow,
    TenantRow,
    VplmRow,
)

FRAME = 24 + 4096
"""Bytes of the log that a page takes."""
KEY = KeyRow("hmi-a", "acme", "digest", ("infer",), 1.0)
SPARE = AdapterRow("b" * 64, 10, 4, "both", 2, "import", {}, 1.0)
EPOCH = EpochRow("reviews", 1, 5, 10, 0.5, 0.6, None, 1.0, 2.0)
STARTER = StarterRow("", "s", 1, "a" * 64, ("a",), "general", "plot", None, {}, "acme/p:1", 1.0)
BACKBONE = BackboneRow("bert", 1, "5" * 64, "bert", 2, 8, 1, 10, 1.0)
VPLM = "acme/polarity"

Write = Callable[[Catalogue], object]
WRITES: dict[str, Write] = {
    "tenants.add": lambda c: c.tenants.add(TenantRow("initech", 1.0, {}, "", 1.0), KEY),
    "tenants.change": lambda c: c.tenants.change("acme", weight=9.0),
    "tenants.remove": lambda c: c.tenants.remove("acme"),
    "keys.add": lambda c: c.keys.add(KEY, ["hmi-old"], 5.0),
    "keys.remove": lambda c: c.keys.remove("acme", "hmi-old"),
    "domains.add": lambda c: c.domains.add(
        DomainRow("more", "general", 0, "empty", None, 0, 0, {}, 1.0)
    ),
    "domains.change": lambda c: c.domains.change("reviews", epoch=7),
    "domains.claim": lambda c: c.domains.claim("reviews", "5" * 64),
    "domains.forget": lambda c: c.domains.forget(""),
    "domains.mend": lambda c: c.domains.mend(
        DomainRow("root", None, 0, "empty", None, 0, 0, {}, 1.0)
    ),
    "domains.remove": lambda c: c.domains.remove("films"),
    "vplms.add_many": lambda c: c.vplms.add_many([_vplm(c, "more")], adapters=[SPARE]),
    "vplms.change": lambda c: c.vplms.change(VPLM, mode="exact", pinned=True),
    "vplms.remove": lambda c: c.vplms.remove(VPLM),
    "vplms.publish": lambda c: c.vplms.publish(VPLM, "c" * 64, 0.9),
    "starters.publish": lambda c: c.starters.publish(STARTER),
    "starters.remove": lambda c: c.starters.remove("", "old", 1),
    "adapters.add_many": lambda c: c.adapters.add_many([SPARE]),
    "adapters.remove": lambda c: c.adapters.remove("c" * 64),
    "backbones.add": lambda c: c.backbones.add(replace(BACKBONE, name="other", sha256="6" * 64)),
    "backbones.remove": lambda c: c.backbones.remove(BACKBONE),
    "jobs.add": lambda c: c.jobs.add(_job("job-2")),
    "jobs.change": lambda c: c.jobs.change("job-1", progress=0.5),
    "jobs.fail_interrupted": lambda c: c.jobs.fail_interrupted("The engine ended."),
    "datasets.put": lambda c: c.datasets.put(_dataset("more")),
    "datasets.remove": lambda c: c.datasets.remove("acme", "old"),
    "usage.add": lambda c: c.usage.add({("2026-11", "acme"): 3}, {VPLM: 9.0}),
    "epochs.publish": lambda c: c.epochs.publish(replace(EPOCH, epoch=2)),
    "epochs.count": lambda c: c.epochs.count("reviews", 1, 5, 9),
}


@pytest.fixture
def full(catalogue: Catalogue) -> Catalogue:
    """A catalogue with something of every kind to change and to remove."""
    catalogue.keys.add(replace(KEY, id="hmi-old", digest="old"))
    catalogue.adapters.add(replace(SPARE, id="c" * 64))
    catalogue.starters.publish(replace(STARTER, name="old"))
    catalogue.backbones.add(BACKBONE)
    catalogue.jobs.add(_job("job-1"))
    catalogue.datasets.put(_dataset("old"))
    catalogue.domains.change("reviews", epoch=1)
    catalogue.epochs.publish(EPOCH)
    return catalogue


def test_every_write_of_the_catalogue_is_tried(full: Catalogue) -> None:
    found = {
        f"{kind}.{name}"
        for kind, rows in vars(full).items()
        if not kind.startswith("_")
        for name, method in inspect.getmembers(rows, inspect.ismethod)
        if ".writing()" in inspect.getsource(method)
    }
    assert found == set(WRITES)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_whichever_page_the_disk_refuses_nothing_of_the_write_is_there(
    full: Catalogue, write: Write
) -> None:
    before, frames = dump(full), 0
    while True:
        try:
            with refusing(full, frames * FRAME):
                write(full)
        except (DiskFailed, NoSpace):
            assert dump(full) == before, f"some of it is there after {frames} pages"
            frames += 1
        else:
            break
    assert frames > 0
    assert dump(full) != before


@contextmanager
def refusing(catalogue: Catalogue, room: int) -> Iterator[None]:
    """The kernel takes `room` bytes of what is written next to the log, and refuses the rest."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = catalogue._connections._log_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (log + room + 1, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def dump(catalogue: Catalogue) -> list[str]:
    """All that it holds, as a reader sees it."""
    return list(catalogue._connections._reader().conn.iterdump())


def _vplm(catalogue: Catalogue, name: str) -> VplmRow:
    return replace(catalogue.vplms.get(VPLM), name=name, adapter=SPARE.id)


def _job(id: str) -> JobRow:
    return JobRow(id, "train", VPLM, "queued", {}, created_at=1.0)


def _dataset(name: str) -> DatasetRow:
    return DatasetRow("acme", name, 3, {"a": 3}, 80, "0" * 64, f"acme/{name}.0.jsonl", 1.0)
