"""`hmi backup`, `hmi restore`, `hmi fsck` and `hmi doctor`: become what looks after a home."""

from __future__ import annotations

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import Leaf, flag

_JSON = flag("--json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document.")


@click.command(cls=Leaf)
@click.argument("file", metavar="FILE")
@flag("--since", metavar="FILE", help="Leave out what this earlier backup has; keep both together.")
@_JSON
def backup(**_flags: object) -> None:
    """Put the home, as it is at one moment, into one file; the engine may serve.

    Tenants, domains, vPLMs with all their versions, adapters, tables, texts, datasets, imported
    backbones and unfinished trainings. Not in it: config.toml and logs. Exit code 1 if the home has
    damaged files; the backup is made all the same, without them.
    """
    become("engine", "backup")


@click.command(cls=Leaf)
@click.argument("file", metavar="FILE")
@flag("--verify", is_flag=True, help="Only read all of the backup and compare it.")
@_JSON
def restore(**_flags: object) -> None:
    """Make the home what a backup says, in place of what is there.

    Stop the engine first (hmi stop). If it is interrupted the home is the old one, or the new one,
    whole. A backup of a newer version of hmi is refused.
    """
    become("engine", "restore")


@click.command(cls=Leaf)
@flag("--repair", is_flag=True, help="Put right what can be.")
@flag("--from", metavar="FILE", help="With --repair: a backup to take files from.")
@_JSON
def fsck(**_flags: object) -> None:
    """Compare every file of the home with its checksum.

    While the engine serves or not. Names each one that is not what was written; exit code 1 if any
    is left so.
    """
    become("engine", "fsck")


@click.command(cls=Leaf)
@_JSON
def doctor(**_flags: object) -> None:
    """Check everything that keeps an engine from serving, with what to do about it.

    The home and its modes, free space, the catalogue, the socket, the engine and its version, the
    device, the log, limits. Exit code 1 if anything fails.
    """
    become("engine", "doctor")
