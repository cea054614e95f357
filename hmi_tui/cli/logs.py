"""`hmi logs`: what the background engine wrote."""

from __future__ import annotations

import os
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import click

from engine.errors import NotFound
from hmi_tui.cli.grammar import Leaf, current_paths, flag

POLL_S = 0.2


@click.command(cls=Leaf)
@flag("--follow", "-f", is_flag=True, help="Go on with what is written from now on.")
@flag("--lines", "-n", type=click.IntRange(0), default=100, show_default=True, help="How many.")
def logs(follow: bool, lines: int) -> None:
    """Print the end of the engine's log.

    An engine in the foreground writes to its terminal instead.
    """
    path = current_paths().log
    if not path.is_file():
        raise NotFound(
            f"There is no log at {path}.",
            remedy="An engine started in the background writes one. "
            "That of hmi unit writes to the journal: journalctl --user -u hmi.",
        )
    with ExitStack() as opened:
        log = opened.enter_context(_open(path))
        for line in deque(log, lines):
            click.echo(line, nl=False)
        while follow:
            _go_on(log)
            time.sleep(POLL_S)
            if _rotated(path, log):
                # What was written to it meanwhile comes first.
                _go_on(log)
                opened.close()
                log = opened.enter_context(_open(path))


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors="replace")


def _go_on(log: TextIO) -> None:
    for line in log:
        click.echo(line, nl=False)
    if os.fstat(log.fileno()).st_size < log.tell():
        # Emptied by someone: what comes now is at the beginning.
        log.seek(0)


def _rotated(path: Path, log: TextIO) -> bool:
    """Whether the engine has gone on in a new file."""
    try:
        return not os.path.samestat(path.stat(), os.fstat(log.fileno()))
    except FileNotFoundError:
        return False
