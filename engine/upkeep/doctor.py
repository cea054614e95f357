"""The self-check: what keeps an engine from serving, or from surviving what comes."""

from __future__ import annotations

import resource
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from engine import __version__
from engine.client import Client
from engine.config import MAX_SOCKET_PATH, Paths
from engine.errors import EngineNotRunning, HmiError
from engine.logs import KEPT, MAX_BYTES
from engine.upkeep import door
from engine.upkeep.finding import Finding, Verdict
from store.connections import check_structure
from store.errors import StoreError
from store.fsck import contradictions
from store.places import Places
from store.reading import reading
from store.seal import Seal

_LOW, _VERY_LOW = 5 << 30, 1 << 30
_DESCRIPTORS = 4096
_MOST_NAMED = 3


def examine(paths: Paths) -> list[Finding]:
    """Every check, in the order in which an operator would make them. Changes nothing."""
    checks: tuple[Callable[[Paths], Iterator[Finding]], ...] = (
        _home,
        _modes,
        _space,
        _catalogue,
        _socket,
        _engine,
        _device,
        door.network,
        door.keys,
        door.audit,
        _log,
        _limits,
    )
    return [finding for check in checks for finding in check(paths)]


def _home(paths: Paths) -> Iterator[Finding]:
    if paths.data.is_dir():
        yield Finding("home", "ok", str(paths.data))
    else:
        remedy = "An engine makes it; hmi restore FILE brings one back."
        yield Finding("home", "warn", f"There is none yet in {paths.data}.", remedy)
    places = Places(paths.data)
    if places.arrived.is_dir() or places.settling.is_dir():
        remedy = "It is finished when the engine starts, or by hmi fsck."
        yield Finding("restore", "warn", "A restore was interrupted.", remedy)


def _modes(paths: Paths) -> Iterator[Finding]:
    """Files 0600, folders 0700, no links."""
    open_to_others: list[Path] = []
    links: list[Path] = []
    for root in (paths.data, paths.state):
        for path in [root, *root.rglob("*")] if root.is_dir() else []:
            if path.is_symlink():
                links.append(path)
            elif _mode(path) & 0o077:
                open_to_others.append(path)
    if open_to_others:
        remedy = f"chmod -R go= {paths.data} {paths.state}"
        yield Finding("modes", "fail", f"Others may read {_some(open_to_others)}.", remedy)
    else:
        yield Finding("modes", "ok", "files 0600, folders 0700")
    if links:
        remedy = "Put what they point to in their place; nothing is written through a link."
        yield Finding("links", "fail", f"Symbolic links in the home: {_some(links)}.", remedy)


def _space(paths: Paths) -> Iterator[Finding]:
    place = next(each for each in (paths.data, *paths.data.parents) if each.exists())
    free = shutil.disk_usage(place).free
    told = f"{free >> 20:,} MiB free on the disk of {place}"
    verdict: Verdict = "ok" if free >= _LOW else "warn" if free >= _VERY_LOW else "fail"
    remedy = "" if verdict == "ok" else "hmi df says what takes it up, hmi gc frees some of it."
    yield Finding("space", verdict, told, remedy)


def _catalogue(paths: Paths) -> Iterator[Finding]:
    if not paths.catalogue.is_file():
        return
    seal = Seal(paths.catalogue)
    try:
        sealed = seal.holds()
        with reading(paths.catalogue) as db:
            check_structure(db, paths.catalogue)
            for what in contradictions(db):
                remedy = "hmi restore FILE brings a backup back."
                yield Finding("catalogue", "fail", f"{paths.catalogue} {what}.", remedy)
    except StoreError as error:
        yield Finding("catalogue", "fail", error.detail, error.remedy)
    else:
        told = "as it was sealed" if sealed else "sound; it has no checksum until an engine starts"
        yield Finding("catalogue", "ok", f"{told}; hmi fsck compares every other file too")
    finally:
        seal.close()


def _socket(paths: Paths) -> Iterator[Finding]:
    path, folder = paths.socket, paths.socket.parent
    if len(str(path).encode()) > MAX_SOCKET_PATH:
        remedy = "Choose a shorter one with --socket."
        yield Finding("socket", "fail", f"{path} is longer than {MAX_SOCKET_PATH} bytes.", remedy)
    elif path.exists() and (not stat.S_ISSOCK(path.lstat().st_mode) or _mode(path) & 0o077):
        remedy = "hmi stop, remove it, and start again."
        yield Finding("socket", "fail", f"{path} is no socket of mode 0600.", remedy)
    elif folder.exists() and _mode(folder) & 0o022:
        remedy = f"chmod go-w {folder}, or choose another place with --socket."
        yield Finding("socket", "fail", f"Others may replace what is in {folder}.", remedy)
    else:
        yield Finding("socket", "ok", str(path))


def _engine(paths: Paths) -> Iterator[Finding]:
    try:
        with Client(paths=paths, timeout=5.0) as client:
            running = client.version().version
            ready, reasons = client.readyz()
            problems = client.status().problems if ready else []
    except EngineNotRunning:
        yield Finding("engine", "warn", "None is running.", "hmi serve, or the unit of hmi unit.")
        return
    except HmiError as error:
        remedy = error.remedy or "hmi logs; hmi stop --kill loses nothing."
        yield Finding("engine", "fail", error.detail, remedy)
        return
    if running != __version__:
        told = f"The engine is {running}, this command {__version__}."
        yield Finding("version", "fail", told, "Start the engine again: hmi stop, hmi serve.")
    if ready:
        yield Finding("engine", "ok", f"ready, version {running}")
    else:
        remedy = "Wait, or look at hmi logs."
        yield Finding("engine", "fail", f"It is not ready: {', '.join(reasons)}.", remedy)
    for problem in problems:
        yield Finding("engine", "warn", problem.what, problem.remedy)


def _device(paths: Paths) -> Iterator[Finding]:
    try:
        with Client(paths=paths, timeout=5.0) as client:
            device = client.status().device
    except HmiError:
        return
    note = f" ({device.note})" if device.note else ""
    yield Finding("device", "ok", f"{device.kind}: {device.name}{note}")


def _log(paths: Paths) -> Iterator[Finding]:
    if not paths.log.is_file():
        return
    size = paths.log.stat().st_size
    if size > 2 * MAX_BYTES:
        remedy = "It is rotated by an engine that writes to it: start it again."
        yield Finding("log", "warn", f"{paths.log} has {size >> 20} MiB.", remedy)
    else:
        most = (KEPT + 1) * MAX_BYTES >> 20
        yield Finding("log", "ok", f"{paths.log}, rotated; at most {most} MiB")


def _limits(_paths: Paths) -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _DESCRIPTORS:
        yield Finding("limits", "ok", f"{soft:,} open files")
    else:
        remedy = f"ulimit -n {max(_DESCRIPTORS, hard)} before hmi serve; the unit has LimitNOFILE."
        yield Finding("limits", "warn", f"Only {soft} files may be open at once.", remedy)


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.lstat().st_mode)
    except FileNotFoundError:
        return 0


def _some(found: list[Path]) -> str:
    rest = len(found) - _MOST_NAMED
    named = ", ".join(map(str, found[:_MOST_NAMED]))
    return f"{named} and {rest} more" if rest > 0 else named
