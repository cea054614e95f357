"""The simulator's command line."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from engine.client import Paths
from engine.errors import HmiError
from engine.load.find import find, render_curve, tell_point
from engine.load.live import write_line
from engine.load.plan import Hot, Profile
from engine.load.ramp import Piece, parse_ramp
from engine.load.report import Report
from engine.load.run import Site, find_site
from engine.load.table import render
from engine.load.texts import demo_texts, read_texts
from engine.schema import LoadBegun

RATE = click.FloatRange(0, 1e5, min_open=True)
POSITIVE = click.FloatRange(0, min_open=True)
INTERRUPTED = 130

flag = partial(click.option, show_envvar=True, show_default=True)


class Written(click.ParamType[Any]):
    """A value that `read` makes of its text, or refuses with ValueError."""

    def __init__(self, name: str, read: Callable[[str], object]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def parse_hot(text: str) -> Hot:
    """TENANT:FACTOR. ValueError."""
    tenant, _, factor = text.rpartition(":")
    try:
        hot = Hot(tenant, float(factor))
    except ValueError:
        hot = Hot("", 0.0)
    if not hot.tenant or hot.factor < 1:
        raise ValueError(f"{text!r} is not TENANT:FACTOR with a factor of at least 1")
    return hot


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@flag(
    "--home", envvar="HMI_HOME", metavar="DIR", help="All of the engine's files under one folder."
)
@flag("--socket", envvar="HMI_SOCKET", metavar="PATH", help="The engine's socket.")
@flag("--tenants", type=click.IntRange(1), help="Ask the vPLMs of the first N tenants only.")
@flag("--vplms", type=click.IntRange(1), help="Ask at most N vPLMs.")
@flag("--rate", type=RATE, default=20.0, help="Requests a second.")
@flag("--arrivals", type=click.Choice(["poisson", "gamma"]), default="poisson", help="Gaps.")
@flag("--cv", type=click.FloatRange(0, 100), default=1.0, help="Burstiness of gamma gaps.")
@flag("--popularity", type=click.Choice(["uniform", "zipf"]), default="uniform", help="Of vPLMs.")
@flag("--zipf-s", type=click.FloatRange(0, 10), default=1.1, help="Zipf's exponent.")
@flag("--text", type=click.Path(path_type=Path), help="A text a line, plain or .gz.")
@flag("--duration", type=click.FloatRange(0), default=30.0, help="Seconds; 0 is until Ctrl-C.")
@flag(
    "--ramp",
    type=Written("ramp", parse_ramp),
    metavar="PIECES",
    help="Instead of --rate and --duration: RATE:SECONDS or FROM..TO:SECONDS, with commas.",
)
@flag(
    "--clients",
    type=click.IntRange(1),
    help="Instead of --rate: N programs, each asking again once it is answered.",
)
@flag(
    "--hot",
    type=Written("hot", parse_hot),
    metavar="TENANT:FACTOR",
    help="One tenant sends FACTOR times its share, on top of all the rest.",
)
@flag("--slo-ms", type=POSITIVE, help="Report the answers within N milliseconds.")
@flag(
    "--find",
    "find_ms",
    type=POSITIVE,
    metavar="P99_MS",
    help="Search the highest rate whose p99 stays within it, from --rate.",
)
@flag("--step", type=POSITIVE, default=20.0, help="Seconds at each rate of the search.")
@flag("--seed", type=click.IntRange(0), default=0, help="Decides everything that is random.")
@flag(
    "--live",
    is_flag=True,
    help="Print JSON a line: progress each second, the report last. Stdin takes: rate N, stop.",
)
@flag("--json", "as_json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document.")
def load(
    home: str | None,
    socket: str | None,
    tenants: int | None,
    vplms: int | None,
    text: Path | None,
    live: bool,
    as_json: bool,
    slo_ms: float | None,
    find_ms: float | None,
    step: float,
    duration: float,
    **traffic: Any,
) -> None:
    """Put open-loop load on the vPLMs that exist; a report at the end or on Ctrl-C.

    Requests leave when they are due, whatever the answers take, and latency counts from then.
    """
    profile = Profile(duration=duration or None, **traffic)
    _check(profile, find_ms, live)

    async def run() -> tuple[dict[str, Any], str]:
        texts = read_texts(text) if text else demo_texts()
        hot = profile.hot.tenant if profile.hot else None
        paths = Paths.find(home, socket)
        site = await find_site(paths, texts, tenants, vplms, hot, sys.stderr, live)
        if find_ms is not None:
            return await _search(site, replace(profile, duration=step), find_ms / 1e3)
        told = f"{_called(profile)} over {len(site.models)} vPLMs, {_lasting(profile)}"
        bound = None if slo_ms is None else slo_ms / 1e3
        begun = partial(_begin_live, site) if live else partial(_say, told)
        report = await site.run(profile, bound, begun)
        return report.document(), render(report)

    try:
        document, told = asyncio.run(run())
    except HmiError as error:
        click.echo(f"hmi load: {error}", err=True)
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    if live:
        write_line({"object": "report", **document})
    else:
        click.echo(json.dumps(document, indent=2) if as_json else told)


def _begin_live(site: Site) -> None:
    write_line(LoadBegun(vplms=len(site.models), tenants=site.tenants).model_dump())


async def _search(site: Site, profile: Profile, limit_s: float) -> tuple[dict[str, Any], str]:
    bound = f"p99 within {limit_s * 1e3:.0f} ms"
    _say(f"searching the highest rate with {bound} over {len(site.models)} vPLMs")

    async def measure(rate: float) -> Report:
        return await site.run(replace(profile, rate=rate))

    curve = await find(measure, profile.rate, limit_s, lambda point: _say(tell_point(point)))
    return curve.document(), render_curve(curve)


def _check(profile: Profile, find_ms: float | None, live: bool) -> None:
    if live and (profile.ramp or profile.clients is not None or find_ms is not None):
        raise click.UsageError("--live steers a rate: leave --ramp, --clients and --find out.")
    if profile.ramp and profile.clients is not None:
        raise click.UsageError("Give either --ramp or --clients.")
    if profile.ramp and _given("rate", "duration"):
        raise click.UsageError("--ramp has rates and seconds: leave --rate and --duration out.")
    if profile.clients is not None and profile.hot is not None:
        raise click.UsageError("--hot needs a rate: leave --clients out.")
    if find_ms is not None and (profile.ramp or profile.clients is not None):
        raise click.UsageError("--find searches a rate: leave --ramp and --clients out.")


def _given(*names: str) -> bool:
    """Whether any of these flags was, rather than left as it is."""
    source = click.get_current_context().get_parameter_source
    return any(source(name) is not ParameterSource.DEFAULT for name in names)


def _called(profile: Profile) -> str:
    if profile.clients is not None:
        return f"{profile.clients} clients"
    if profile.ramp:
        return f"{_pieces(profile.ramp)} requests a second"
    return f"{profile.rate:g} requests a second"


def _pieces(ramp: tuple[Piece, ...]) -> str:
    return ", ".join(
        f"{p.first:g}" if p.first == p.last else f"{p.first:g} to {p.last:g}" for p in ramp
    )


def _lasting(profile: Profile) -> str:
    if profile.ramp:
        return f"{sum(piece.seconds for piece in profile.ramp):.0f} s"
    return f"{profile.duration:.0f} s" if profile.duration else "until Ctrl-C"


def _say(line: str) -> None:
    click.echo(line, err=True)
