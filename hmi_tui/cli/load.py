"""`hmi load`: becomes the load simulator."""

from __future__ import annotations

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import Leaf, flag


@click.command(cls=Leaf)
@flag("--tenants", type=click.IntRange(1), help="Ask the vPLMs of the first N tenants only.")
@flag("--vplms", type=click.IntRange(1), help="Ask at most N vPLMs.")
@flag("--rate", type=float, help="Requests a second (20).")
@flag("--arrivals", type=click.Choice(["poisson", "gamma"]), help="How gaps vary (poisson).")
@flag("--cv", type=float, help="Burstiness of gamma gaps (1).")
@flag("--popularity", type=click.Choice(["uniform", "zipf"]), help="Of vPLMs (uniform).")
@flag("--zipf-s", type=float, help="Zipf's exponent (1.1).")
@flag("--text", metavar="FILE", help="A text a line, plain or .gz (the demo's texts).")
@flag("--duration", type=float, help="Seconds (30); 0 is until Ctrl-C.")
@flag(
    "--ramp",
    metavar="PIECES",
    help="Instead of --rate and --duration: RATE:SECONDS or FROM..TO:SECONDS, with commas.",
)
@flag("--clients", type=int, help="Instead of --rate: N programs that each wait for their answer.")
@flag("--hot", metavar="TENANT:FACTOR", help="One tenant sends FACTOR times its share.")
@flag("--slo-ms", type=float, help="Report the answers within N milliseconds.")
@flag("--find", metavar="P99_MS", help="Search the highest rate whose p99 stays within it.")
@flag("--step", type=float, help="Seconds at each rate of the search (20).")
@flag("--seed", type=int, help="Decides everything that is random (0).")
@flag("--live", is_flag=True, help="JSON a line, each second; stdin takes: rate N, stop.")
@flag("--json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document.")
def load(**_flags: object) -> None:
    """Put open-loop load on the vPLMs that exist.

    A report comes at the end, or on Ctrl-C.
    """
    become("engine.load")
