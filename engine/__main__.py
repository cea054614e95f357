"""`python -m engine serve`: the engine in the foreground."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from engine.config import DEFAULT_SPLIT, Paths, Settings, parse_size
from engine.errors import HmiError

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Settings)}


class Size(click.ParamType[int]):
    """Bytes, written such as 256M or 2G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except HmiError as error:
            self.fail(str(error), param, ctx)


def _option(flag: str, **options: Any) -> Callable[[F], F]:
    """An option with its HMI_ twin, shown in --help."""
    twin = "HMI_" + flag.removeprefix("--").replace("-", "_").upper()
    return click.option(flag, envvar=twin, show_envvar=True, **options)


def _cache(flag: str, help: str) -> Callable[[F], F]:
    default = _DEFAULTS[flag.removeprefix("--").replace("-", "_")]
    return _option(flag, type=Size(), default=f"{default >> 20}M", show_default=True, help=help)


@click.group()
def main() -> None:
    """The HMI engine. The command hmi starts it; this is how."""


@main.command()
@_option("--home", type=click.Path(path_type=Path), help="Put all files under this folder.")
@_option("--socket", type=click.Path(path_type=Path), help="Listen here.")
@_option(
    "--listen",
    metavar="HOST:PORT",
    help="Listen there as well, for calls with an API key (hmi key, hmi tenant key).",
)
@_option(
    "--tls-cert",
    type=click.Path(path_type=Path),
    help="Speak TLS there, with this certificate (PEM, with its chain).",
)
@_option("--tls-key", type=click.Path(path_type=Path), help="The certificate's key (PEM).")
@_option(
    "--backbone",
    type=click.Path(path_type=Path),
    help="A local checkpoint folder of the BERT family, instead of the bundled one.",
)
@_option(
    "--encoder",
    type=click.Path(path_type=Path),
    help="The n-gram encoder distilled for that backbone, instead of the bundled one.",
)
@_option(
    "--generator",
    type=click.Path(path_type=Path),
    help="A local checkpoint folder of the GPT-2 family, for vPLMs that generate.",
)
@_option(
    "--generator-split",
    type=click.IntRange(min=1),
    help="How many of its layers come from rows; two thirds if left out.",
)
@_option(
    "--split",
    type=click.IntRange(min=1),
    help="How many of the backbone's layers come from tables; left out, as many as it was imported "
    f"with, or {DEFAULT_SPLIT}.",
)
@_option(
    "--further-backbones",
    type=click.IntRange(min=0, max=64),
    default=_DEFAULTS["further_backbones"],
    show_default=True,
    help="How many backbones may be loaded beside it, for vPLMs that have another.",
)
@_option(
    "--further-share",
    type=click.FloatRange(min=0, max=1, min_open=True),
    default=_DEFAULTS["further_share"],
    show_default=True,
    help="What each of them gets, on top, of --host-cache, --device-cache and --table-cache.",
)
@_option(
    "--further-idle-s",
    type=click.FloatRange(min=1),
    default=_DEFAULTS["further_idle_s"],
    show_default=True,
    help="One that nobody asked for so long is let go of.",
)
@_option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@_cache("--host-cache", help="Host memory for adapters.")
@_cache("--device-cache", help="Device memory for adapters.")
@_cache("--table-cache", help="Host memory for table rows that had to be computed.")
@_cache("--kv-cache", help="Device memory for texts that are being generated.")
@_option(
    "--miss",
    type=click.Choice(["compute", "backoff"]),
    default="compute",
    show_default=True,
    help="What happens to n-grams that no table holds.",
)
@_option(
    "--damaged",
    type=click.Choice(["refuse", "exact"]),
    default="refuse",
    show_default=True,
    help="vPLMs whose tables are damaged: answer 503, or serve in exact mode and say so.",
)
@_option(
    "--pipeline",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Fetch the next batch's rows and adapters while one is computed.",
)
@_option(
    "--slo-ms",
    type=click.FloatRange(min=0, min_open=True),
    help="Refuse requests that would take longer than this many milliseconds.",
)
@_option(
    "--keep-versions",
    type=click.IntRange(min=2),
    default=_DEFAULTS["keep_versions"],
    show_default=True,
    help="How many versions of each vPLM are kept; the oldest beyond them go.",
)
@_option(
    "--threads",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Threads that compute; 0 is one a core.",
)
@_option(
    "--watchdog-s",
    type=click.FloatRange(min=0),
    default=_DEFAULTS["watchdog_s"],
    show_default=True,
    help="End, for a supervisor to start it again, when a batch takes longer; 0: never.",
)
@_option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Lines for people, or a JSON object a line.",
)
def serve(home: Path | None, socket: Path | None, **choices: Any) -> None:
    """Serve until SIGTERM, SIGINT or `hmi stop`."""
    given = {name: value for name, value in choices.items() if value is not None}
    settings = Settings(paths=Paths.find(home, socket), **given)
    from engine.process import (
        keep_freed_memory,
        load_without_rounds,
        take_short_turns,
        tokenise_in_the_callers_thread,
    )

    load_without_rounds()
    tokenise_in_the_callers_thread()
    from engine.api import server
    from engine.logs import log_to_stderr

    log_to_stderr(settings.log_format, settings.paths.log)
    keep_freed_memory()
    take_short_turns()
    server.serve(settings)


def _fail(error: Exception) -> NoReturn:
    """One line that says what is wrong and what to do, and the error's exit code."""
    from engine.api.problems import as_hmi

    known = as_hmi(error)
    if type(known) is HmiError and known is not error:
        if not isinstance(error, OSError):
            raise error
        known = HmiError(
            f"{error.filename or 'The system'}: {error.strerror or error}.",
            remedy="Check the folder and its mode, or choose another with --home or --socket.",
        )
    click.echo(f"Error: {known}", err=True)
    sys.exit(known.exit_code)


def run() -> None:
    """The command line, with every foreseen failure as a line and an exit code."""
    from engine.upkeep.commands import backup, doctor, fsck, restore

    # Whatever is made here, and by the processes that come of it, is the owner's alone.
    os.umask(0o077)
    for command in (backup, restore, fsck, doctor):
        main.add_command(command)
    try:
        main(prog_name="python -m engine")
    except Exception as error:  # noqa: BLE001  what is not foreseen is raised again
        _fail(error)


if __name__ == "__main__":
    run()
