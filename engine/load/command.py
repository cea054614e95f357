"""The simulator's command line and the run it asks for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
from functools import partial
from pathlib import Path

import click

from engine.client import AsyncClient, NotFound, Paths
from engine.errors import HmiError
from engine.load.plan import Profile, choose, plan
from engine.load.report import Report, summarise
from engine.load.simulator import Simulator, report_progress
from engine.load.table import render
from engine.load.texts import demo_texts, read_texts

PAGE = 1000
RATE = click.FloatRange(0, 1e5, min_open=True)


flag = partial(click.option, show_envvar=True, show_default=True)


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
@flag("--seed", type=click.IntRange(0), default=0, help="Decides everything that is random.")
@flag("--json", "as_json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document.")
def load(
    home: str | None,
    socket: str | None,
    tenants: int | None,
    vplms: int | None,
    text: Path | None,
    as_json: bool,
    rate: float,
    arrivals: str,
    cv: float,
    popularity: str,
    zipf_s: float,
    duration: float,
    seed: int,
) -> None:
    """Put open-loop load on the vPLMs that exist; a report at the end or on Ctrl-C."""
    profile = Profile(
        rate=rate,
        arrivals="poisson" if arrivals == "poisson" else "gamma",
        cv=cv,
        popularity="zipf" if popularity == "zipf" else "uniform",
        zipf_s=zipf_s,
        duration=duration or None,
        seed=seed,
    )
    try:
        texts = read_texts(text) if text else demo_texts()
        paths = Paths.find(home, socket)
        report = asyncio.run(simulate(paths, profile, texts, tenants, vplms))
    except HmiError as error:
        click.echo(f"hmi load: {error}", err=True)
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    click.echo(json.dumps(report.document(), indent=2) if as_json else render(report))


async def simulate(
    paths: Paths, profile: Profile, texts: list[str], tenants: int | None, vplms: int | None
) -> Report:
    """Run `profile` against the engine at `paths`; SIGINT and SIGTERM end it early, with a report.

    Raises NotFound if there is no vPLM to ask, EngineNotRunning without an engine.
    """
    _allow_many_connections()
    async with AsyncClient(paths=paths) as client:
        models = choose(await _all_models(client), tenants, vplms)
        if not models:
            raise NotFound("There is no vPLM to ask.", remedy="Make some with hmi vplm create.")
        simulator = Simulator(client, models)
        _stop_on_signals(simulator)
        lasting = f"{profile.duration:.0f} s" if profile.duration else "until Ctrl-C"
        _say(f"{profile.rate:g} requests a second over {len(models)} vPLMs, {lasting}")
        progress = asyncio.create_task(report_progress(simulator, _say))
        try:
            ledger = await simulator.run(plan(profile, len(models), texts))
        finally:
            progress.cancel()
        return summarise(ledger, models, simulator.sending)


async def _all_models(client: AsyncClient) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.vplms(limit=PAGE, cursor=cursor)
        found += [vplm.id for vplm in page.data if vplm.kind == "classifier"]
        cursor = page.next_cursor
        if cursor is None:
            return found


def _stop_on_signals(simulator: Simulator) -> None:
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, simulator.stop)


def _allow_many_connections() -> None:
    """An open loop needs a socket a request in flight; the usual soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(line: str) -> None:
    click.echo(line, err=True)
