"""`hmi trace`: what the engine's stages did lately, as a file for a trace viewer."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import BadInput
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
    from hmi_tui.timeline.lanes import bars
    from hmi_tui.timeline.summary import lines, summarise
    from hmi_tui.timeline.svg import draw

    for path in (file, svg):
        _check(path)
    with connect() as client:
        found = client.trace(seconds)
    work = bars(found.events)
    _write(file, found.json_text())
    if svg is not None:
        _write(svg, draw(work))
    summary = summarise(work)
    if summary is None:
        say(f"No batch was served in the last {seconds:g} s; ask something and trace again.")
    else:
        click.echo(record(lines(summary)))
    say(f"Open {file} in https://ui.perfetto.dev (drag it in) or chrome://tracing.")


def _check(path: Path | None) -> None:
    """BadInput before the engine is asked, if `path` cannot be written."""
    if path is not None and not path.absolute().parent.is_dir():
        raise BadInput(
            f"There is no folder {path.absolute().parent}.",
            remedy="Name a file in a folder that exists.",
        )


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
