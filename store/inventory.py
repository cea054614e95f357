"""Every file that a home should hold, and what each of them should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from store import sums
from store.blobs import path_of
from store.errors import Damaged, TooNew
from store.known import Known
from store.places import Places
from store.table_manifest import MANIFEST, read_manifest
from store.traffic_files import check_traffic, is_traffic


@dataclass(frozen=True, slots=True)
class Kept:
    """A file by its `name` below the home, with the sha256 sums that it may have (None: nobody
    said). `hint` if the engine can do without it."""

    name: str
    path: Path
    sums: tuple[str, ...] | None
    hint: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the file `name`, in a sentence that names its path."""

    name: str
    what: str


def inventory(places: Places, known: Known) -> Iterator[Kept | Fault]:
    """Each file once, or what is wrong with what should say what it is."""
    for blob in sorted(known.blobs):
        yield _kept(places, path_of(places.blobs, blob), (blob,))
    for path_name, digest in sorted(known.datasets):
        yield _kept(places, places.datasets / path_name, (digest,))
    for domain, epoch in sorted(known.tables):
        yield from _table(places, places.tables / domain / f"{epoch:06d}")
    due = {places.corpora / f"{domain}.txt" for domain in known.corpora}
    due |= {places.backbones / digest / name / "config.json" for digest, name in known.backbones}
    for path in sorted(due.union(places.uncatalogued())):
        yield _summed(places, path)


def examine(kept: Kept) -> Fault | None:
    """What is wrong with a file, if anything is."""
    try:
        if kept.path.is_symlink():
            return Fault(kept.name, f"{kept.path} is a symbolic link.")
        if kept.sums is not None and sums.sha256_of(kept.path) not in kept.sums:
            return Fault(kept.name, f"{kept.path} does not match its checksum.")
        if is_traffic(kept.path):
            check_traffic(kept.path)
    except FileNotFoundError:
        return Fault(kept.name, f"{kept.path} is missing.")
    except OSError as error:
        return Fault(kept.name, f"{kept.path} cannot be read: {error.strerror}.")
    except Damaged as error:
        return Fault(kept.name, error.detail)
    return None


def _kept(places: Places, path: Path, may: tuple[str, ...] | None) -> Kept:
    hint = is_traffic(path) or path.parent.name == "training"
    return Kept(places.name(path), path, may, hint)


def _summed(places: Places, path: Path) -> Kept | Fault:
    try:
        said = sums.allowed(path)
    except Damaged as error:
        return Fault(places.name(path), error.detail)
    return _kept(places, path, None if said is None else tuple(said))


def _table(places: Places, folder: Path) -> Iterator[Kept | Fault]:
    path = folder / MANIFEST
    found = _summed(places, path)
    yield found
    if isinstance(found, Fault) or examine(found) is not None:
        # What the manifest says of the others is not to be trusted either.
        return
    try:
        records = read_manifest(folder).files
    except (Damaged, TooNew) as error:
        yield Fault(places.name(path), error.detail)
        return
    for name, record in sorted(records.items()):
        yield _kept(places, folder / name, (record.sha256,))
