"""`hmi trace`: what the engine's stages did lately, as a file for a trace viewer."""

from __future__ import annotations

from pathlib import Path

import click

from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import record

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Leaf)
@click.argument("file", type=FILE)
@flag(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=30.0,
    show_default=True,
    help="How far back.",
)
@flag("--svg", type=FILE, metavar="FILE", help="Draw some of its batches into this file as well.")
def trace(file: Path, seconds: float, svg: Path | None) -> None:
    """Write what retrieve, load and compute did lately to FILE, for a viewer.

    The engine keeps the last thousands of batches. FILE opens in ui.perfetto.dev (drag it in) or
    chrome://tracing; nothing leaves the machine. A summary of the stages goes to stdout.
    """
    from hmi_tui.timeline.files import VIEWER, write_trace
    from hmi_tui.timeline.lanes import bars
    from hmi_tui.timeline.summary import lines, summarise
    from hmi_tui.typed_files import check_folder

    for path in (file, svg):
        check_folder(path)
    with connect() as client:
        found = client.trace(seconds)
    write_trace(found, file, svg)
    summary = summarise(bars(found.events))
    if summary is None:
        say(f"No batch was served in the last {seconds:g} s; ask something and trace again.")
    else:
        click.echo(record(lines(summary)))
    say(f"Open {file} in {VIEWER} (drag it in) or chrome://tracing.")
