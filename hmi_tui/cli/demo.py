"""`hmi demo`: everything at once, on a fresh machine."""

from __future__ import annotations

import json

import click

from hmi_tui.cli.grammar import flag, on_terminal, say

RATE = click.FloatRange(0, 1e5, min_open=True)


@click.command()
@flag("--headless", is_flag=True, help="No application; a report on stdout.")
@flag(
    "--seconds",
    type=click.FloatRange(1),
    default=30.0,
    show_default=True,
    help="Length of the headless load.",
)
@flag("--rate", type=RATE, default=20.0, show_default=True, help="Requests a second.")
@flag("--json", "as_json", envvar="HMI_JSON", is_flag=True, help="The headless report as JSON.")
def demo(headless: bool, seconds: float, rate: float, as_json: bool) -> None:
    """Show the whole main job in a throw-away home.

    Domains, tenants, a training, load on all of it; needs no data and no GPU. Opens the
    application on it; without a terminal, or with --headless, ends in a report. Ctrl-C ends
    everything and leaves nothing behind.
    """
    from hmi_tui.demo.run import run_headless, run_in_application

    if headless or not on_terminal():
        report = run_headless(seconds, rate, say)
        click.echo(json.dumps(report.document(), indent=2) if as_json else report.text())
    else:
        run_in_application(rate, say)
