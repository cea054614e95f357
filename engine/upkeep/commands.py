"""`python -m engine backup`, `restore` and `fsck`: what `hmi` becomes for them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from engine.api.sockets import owned
from engine.config import Paths
from engine.upkeep.doctor import examine
from engine.upkeep.owner import alone, existing
from store.archive import Archive
from store.backup import back_up
from store.fsck import Checked, Repair, check_home, repair
from store.places import Places
from store.restore import restore as bring_back
from store.restore import verify as read_through

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path, dir_okay=False)
_TELL_S = 1.0
_PASSES = 2


def _placed(command: F) -> F:
    for flag, about in (("--socket", "The engine's socket."), ("--home", "Where the home is.")):
        twin = f"HMI_{flag.removeprefix('--').upper()}"
        command = click.option(flag, type=click.Path(path_type=Path), envvar=twin, help=about)(
            command
        )
    return click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")(command)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--since", type=_FILE, help="Leave out what this earlier backup has.")
@_placed
def backup(
    file: Path, since: Path | None, as_json: bool, home: Path | None, socket: Path | None
) -> None:
    """Put the home into one file, while it serves or not."""
    paths = Paths.find(home, socket)
    places = existing(paths)
    with ExitStack() as held:
        base = None if since is None else held.enter_context(Archive(since))
        made = back_up(places, file, base, _progress("files taken"))
    faults = {fault.name: fault.what for fault in made.faults}
    if as_json:
        click.echo(json.dumps(asdict(made) | {"file": str(file), "faults": faults}, indent=2))
    else:
        click.echo(
            f"{file}: {made.files:,} files, {_size(made.bytes)}; {_size(made.new_bytes)} of it here"
        )
    if faults:
        _complain(faults.values())
        _say("The backup is without these; hmi fsck says what can be done.")
        sys.exit(1)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--verify", is_flag=True, help="Read all of the backup and change nothing.")
@_placed
def restore(
    file: Path, verify: bool, as_json: bool, home: Path | None, socket: Path | None
) -> None:
    """Make the home what a backup says."""
    paths = Paths.find(home, socket)
    with Archive(file) as archive:
        if verify:
            read_through(archive, _progress("files read"))
            count = len(archive.manifest.entries)
        else:
            with owned(paths):
                count = bring_back(Places(paths.data), archive, _progress("files written"))
        left_out = dict(archive.manifest.left_out)
        made_at = archive.manifest.made_at
    if as_json:
        told = {"file": str(file), "files": count, "made_at": made_at, "left_out": left_out}
        click.echo(json.dumps(told | {"restored": not verify}, indent=2))
    else:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made_at))
        done = "is whole" if verify else f"is what {paths.data} holds now"
        click.echo(f"{file}, made {when}, {count:,} files, {done}")
    if left_out:
        _complain(left_out.values())
        _say("The home had no sound copy of these when the backup was made.")


@click.command()
@click.option("--repair", "mend", is_flag=True, help="Put right what can be.")
@click.option("--from", "source", type=_FILE, help="A backup to take files from.")
@_placed
def fsck(
    mend: bool, source: Path | None, as_json: bool, home: Path | None, socket: Path | None
) -> None:
    """Compare every file of the home with its checksum."""
    paths = Paths.find(home, socket)
    places = existing(paths)
    with ExitStack() as held:
        is_alone = mend and held.enter_context(alone(paths))
        found = check_home(places, _progress("files compared"))
        repairs: list[Repair] = []
        left = found.faults
        backup = None if source is None else held.enter_context(Archive(source))
        # What says what other files should be may have been damaged itself, and hidden others.
        for _ in range(_PASSES if mend else 0):
            if left:
                repairs += repair(places, left, backup, alone=is_alone)
                left = check_home(places, _progress("files compared")).faults
    click.echo(json.dumps(_document(found, repairs), indent=2) if as_json else _told(found))
    for line in dict.fromkeys(f"{each.fault.name}: {each.done}" for each in repairs):
        _say(line)
    if found.faults and not repairs:
        _say("hmi fsck --repair puts right what can be, with --from FILE out of a backup.")
    if repairs and not is_alone:
        _say("The engine serves what was mended when it starts again: hmi stop, hmi serve.")
    if left:
        sys.exit(1)


@click.command()
@_placed
def doctor(as_json: bool, home: Path | None, socket: Path | None) -> None:
    """Look at everything that keeps an engine from serving."""
    findings = examine(Paths.find(home, socket))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.verdict:4}  {finding.subject:9}  {finding.what}")
            if finding.remedy:
                click.echo(f"{'':17}{finding.remedy}")
    if any(finding.verdict == "fail" for finding in findings):
        sys.exit(1)


def _document(found: Checked, repairs: Sequence[Repair]) -> dict[str, Any]:
    faults = {fault.name: asdict(fault) | {"mended": False, "done": None} for fault in found.faults}
    for each in repairs:
        faults[each.fault.name] = asdict(each.fault) | {"mended": each.mended, "done": each.done}
    return {"files": found.files, "bytes": found.bytes, "faults": list(faults.values())}


def _told(found: Checked) -> str:
    lines = [fault.what for fault in found.faults]
    verdict = "all as they were written" if not lines else f"{len(lines)} not what they were"
    return "\n".join([*lines, f"{found.files:,} files, {_size(found.bytes)}: {verdict}"])


def _complain(faults: Any) -> None:
    for what in faults:
        _say(f"  {what}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _size(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"


def _progress(what: str) -> Callable[[int], None]:
    """Says how far it is, on a terminal, once a second."""
    told = time.monotonic()

    def tell(count: int) -> None:
        nonlocal told
        if sys.stderr.isatty() and time.monotonic() - told > _TELL_S:
            told = time.monotonic()
            _say(f"{count:,} {what}")

    return tell
