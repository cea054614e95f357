"""`hmi` itself: its commands by name, and the application when none is named."""

from __future__ import annotations

import click
from click.core import ParameterSource

from engine.errors import BadInput
from hmi_tui.cli.grammar import Root, current_paths, flag, on_terminal, say

COMMANDS = {
    "demo": "demo",
    "serve": "serve",
    "status": "status",
    "stop": "stop",
    "info": "info",
    "logs": "logs",
    "create": "create",
    "tenant": "tenant",
    "key": "key",
    "audit": "audit",
    "backbone": "backbone",
    "domain": "domain",
    "vplm": "vplm",
    "train": "train",
    "classify": "classify",
    "tag": "tag",
    "predict": "predict",
    "embed": "embed",
    "generate": "generate",
    "job": "job",
    "adapter": "adapter",
    "dataset": "dataset",
    "df": "df",
    "gc": "df",
    "backup": "upkeep",
    "restore": "upkeep",
    "fsck": "upkeep",
    "doctor": "upkeep",
    "unit": "unit",
    "starter": "starter",
    "load": "load",
    "trace": "trace",
    "bench": "bench",
    "size": "size",
    "completion": "completion",
}
"""The command and the module of this package that holds it."""


@click.group(
    cls=Root,
    commands_in=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@flag(
    "--read-only",
    is_flag=True,
    help="The application shows everything and changes nothing of the engine; it still saves a "
    "trace, an adapter's file or a screenshot.",
)
@click.version_option(package_name="hmi-serve", prog_name="hmi")
@click.pass_context
def hmi(ctx: click.Context, read_only: bool) -> None:
    """Serve thousands of customised pretrained language models from one accelerator.

    Without a command: open the application, with an engine started in the background if none
    runs. Data goes to stdout, everything else to stderr.

    Exit codes: 0 ok, 1 failed, 2 usage, 3 engine not running, 4 not found, 5 refused.
    """
    if ctx.invoked_subcommand is None:
        _open(read_only)
    elif read_only and ctx.get_parameter_source("read_only") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--read-only is of the application; no command takes it.", ctx)


def _open(read_only: bool) -> None:
    if not on_terminal():
        raise BadInput(
            "The application needs a terminal, for its keys and for what it shows.",
            remedy="Send neither its output nor its errors to a file, or run a command instead, "
            "such as hmi status; hmi --help lists them.",
            code="no_terminal",
        )
    from hmi_tui.collector import load_without_rounds

    load_without_rounds()
    from hmi_tui.app import run

    # It paints at once and starts an engine itself if none runs.
    run(current_paths(), read_only=read_only)
    say("The engine goes on serving; hmi stop ends it, hmi opens this application again.")
