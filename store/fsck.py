"""Comparing every file of a home with what it should be, and putting right what can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlite_utils import Database

from store import files, sums, whole_files
from store.archive import Archive
from store.connections import check_structure
from store.errors import Damaged, StoreError
from store.inventory import Fault, Kept, examine, inventory
from store.known import Known, known_to
from store.places import Places
from store.reading import reading
from store.seal import Seal


@dataclass(frozen=True, slots=True)
class Checked:
    """So many files and bytes were compared; `faults` is what was found."""

    files: int
    bytes: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about a fault; `mended` if nothing is left of it."""

    fault: Fault
    mended: bool
    done: str


def check_home(places: Places, tell: Callable[[int], None] = lambda _: None) -> Checked:
    """Compare everything; `tell` hears how many files have been. An engine may be serving."""
    broken, known = _catalogue(places)
    if known is None:
        return Checked(1, _bytes(places.catalogue), tuple(broken))
    count, total = 1, _bytes(places.catalogue)
    faults: dict[str, Fault] = {}
    for each in inventory(places, known):
        fault = each if isinstance(each, Fault) else examine(each)
        if fault is not None:
            faults[fault.name] = fault
        count, total = count + 1, total + _bytes(places.root / each.name)
        tell(count)
    if faults:
        # What an engine has replaced or removed meanwhile is no fault.
        faults = _still(places, faults)
    return Checked(count, total, (*broken, *faults.values()))


def repair(
    places: Places, faults: tuple[Fault, ...], backup: Archive | None, *, alone: bool
) -> list[Repair]:
    """Put right what can be: out of `backup`, or because it can be done without. `alone` says that
    no engine has the home, which a repair of the catalogue needs."""
    found: dict[str, Kept] = {}
    if all(fault.name != places.name(places.catalogue) for fault in faults):
        with reading(places.catalogue) as db:
            known = known_to(db)
        found = {each.name: each for each in inventory(places, known) if isinstance(each, Kept)}
    done: list[Repair] = []
    for fault in faults:
        try:
            if fault.name == places.name(places.catalogue):
                done.append(_mend_catalogue(places, fault, alone=alone))
            else:
                done.append(_mend(places, fault, found.get(fault.name), backup))
        except (OSError, StoreError) as error:
            done.append(Repair(fault, mended=False, done=f"It could not be put right: {error}"))
    return done


def _catalogue(places: Places) -> tuple[list[Fault], Known | None]:
    """What is wrong with the catalogue, and what it refers to if that can be read."""
    path, name = places.catalogue, places.name(places.catalogue)
    faults: list[Fault] = []
    if path.is_symlink() or not path.is_file():
        return [Fault(name, f"{path} is missing, or is no file.")], None
    seal = Seal(path)
    try:
        seal.holds()
    except Damaged as error:
        faults.append(Fault(name, error.detail))
    try:
        with reading(path) as db:
            check_structure(db, path)
            faults += [Fault(name, f"{path} {what}.") for what in contradictions(db)]
            return faults, known_to(db)
    except Damaged as error:
        return [*faults, Fault(name, error.detail)], None
    finally:
        seal.close()


def contradictions(db: Database) -> list[str]:
    """What cannot be, though SQLite finds nothing wrong with the file."""
    found = []
    strays = len(db.execute("PRAGMA foreign_key_check").fetchall())
    # An earlier version's has no keys of their own.
    if "keys" in db.table_names():
        orphans = "tenant <> '' and tenant not in (select name from tenants)"
        strays += db.execute(f"select count(*) from keys where {orphans}").fetchone()[0]
        secrets = "select count(*) from secrets where name = 'keys' and length(value) = 32"
        if db.execute(secrets).fetchone()[0] != 1:
            found.append("has lost the secret without which no API key opens anything")
    if strays:
        found.append(f"has {strays} rows that refer to nothing")
    return found


def _still(places: Places, faults: dict[str, Fault]) -> dict[str, Fault]:
    _, known = _catalogue(places)
    if known is None:
        return faults
    left: dict[str, Fault] = {}
    for each in inventory(places, known):
        if each.name in faults:
            fault = each if isinstance(each, Fault) else examine(each)
            if fault is not None:
                left[each.name] = fault
    return left


def _mend(places: Places, fault: Fault, kept: Kept | None, backup: Archive | None) -> Repair:
    path = places.root / fault.name
    if _only_the_sum_is_wrong(path):
        sums.say(path, sums.sha256_of(path))
        return Repair(fault, mended=True, done="The file is whole; its checksum was not.")
    entry = None if backup is None else backup.entry(fault.name)
    if backup is not None and entry is not None:
        wanted = None if kept is None else kept.sums
        if wanted is None or entry.sha256 in wanted:
            write = sums.write_whole if places.has_sum(fault.name) else whole_files.write_whole
            write(path, backup.read(entry))
            return Repair(fault, mended=True, done="Brought back from the backup.")
    if kept is not None and kept.hint:
        sums.remove(path)
        return Repair(fault, mended=True, done="Removed: the engine does without it.")
    why = "It needs a backup: --from FILE." if backup is None else "The backup does not have it."
    return Repair(fault, mended=False, done=f"{why} {_instead(fault)}")


def _instead(fault: Fault) -> str:
    kind, _, rest = fault.name.partition("/")
    owner = rest.partition("/")[0]
    match kind:
        case "tables":
            return f"Or compute it anew: hmi domain rebuild {owner}."
        case "corpora":
            return f"Or upload it again: hmi domain corpus {Path(rest).stem} FILE."
        case "datasets":
            return "Or upload the dataset again: hmi dataset put."
        case "blobs":
            return "Or remove the vPLMs that use it (hmi adapter show says which)."
        case "backbones":
            return "Or import the backbone again: hmi backbone import."
    return ""


def _only_the_sum_is_wrong(path: Path) -> bool:
    """Whether the checksum is one digit off, as that of no other content is."""
    try:
        said = sums.sum_of(path).read_bytes().decode(errors="replace").strip()
        found = sums.sha256_of(path)
    except OSError:
        return False
    return len(said) == len(found) and sum(a != b for a, b in zip(said, found, strict=True)) <= 1


def _mend_catalogue(places: Places, fault: Fault, *, alone: bool) -> Repair:
    path = places.catalogue
    if not alone:
        return Repair(fault, mended=False, done="Stop the engine first: hmi stop.")
    try:
        with reading(path) as db:
            check_structure(db, path)
            sound = not contradictions(db)
    except Damaged:
        sound = False
    if not sound:
        return Repair(
            fault, mended=False, done="Bring a backup's back, with all it knows: hmi restore FILE."
        )
    files.remove_file(sums.sum_of(path))
    return Repair(fault, mended=True, done="SQLite finds it sound; it is taken as it is.")


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
