"""`hmi serve`: becomes the engine."""

from __future__ import annotations

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import SIZE, Leaf, flag


@click.command(cls=Leaf)
@flag(
    "--listen",
    envvar="HMI_LISTEN",
    metavar="HOST:PORT",
    help="Listen there as well, for calls with an API key.",
)
@flag("--tls-cert", envvar="HMI_TLS_CERT", metavar="FILE", help="Speak TLS there, with this (PEM).")
@flag("--tls-key", envvar="HMI_TLS_KEY", metavar="FILE", help="The certificate's key (PEM).")
@flag("--backbone", envvar="HMI_BACKBONE", metavar="DIR", help="A checkpoint of the BERT family.")
@flag("--encoder", envvar="HMI_ENCODER", metavar="FILE", help="An n-gram encoder for it.")
@flag(
    "--generator",
    envvar="HMI_GENERATOR",
    metavar="DIR",
    help="A checkpoint of the GPT-2 family, for vPLMs that generate.",
)
@flag(
    "--generator-split",
    envvar="HMI_GENERATOR_SPLIT",
    type=click.IntRange(1),
    help="How many of its layers come from rows (two thirds).",
)
@flag(
    "--split",
    envvar="HMI_SPLIT",
    type=click.IntRange(1),
    help="How many of its layers come from tables (as it was imported with, or 4).",
)
@flag(
    "--further-backbones",
    envvar="HMI_FURTHER_BACKBONES",
    type=click.IntRange(0, 64),
    help="How many backbones may be loaded beside it, for vPLMs that have another (2).",
)
@flag(
    "--further-share",
    envvar="HMI_FURTHER_SHARE",
    type=click.FloatRange(0, 1, min_open=True),
    help="What each of them gets, on top, of the caches for adapters and rows (0.25).",
)
@flag(
    "--further-idle-s",
    envvar="HMI_FURTHER_IDLE_S",
    type=click.FloatRange(1),
    help="One that nobody asked for so many seconds is let go of (900).",
)
@flag("--device", envvar="HMI_DEVICE", metavar="NAME", help="auto, cpu, cuda or cuda:N.")
@flag("--host-cache", envvar="HMI_HOST_CACHE", type=SIZE, help="Host memory for adapters.")
@flag("--device-cache", envvar="HMI_DEVICE_CACHE", type=SIZE, help="Device memory for adapters.")
@flag("--table-cache", envvar="HMI_TABLE_CACHE", type=SIZE, help="Memory for computed rows.")
@flag("--kv-cache", envvar="HMI_KV_CACHE", type=SIZE, help="Memory for texts being generated.")
@flag(
    "--miss",
    envvar="HMI_MISS",
    type=click.Choice(["compute", "backoff"]),
    help="What to do for an n-gram that no table holds.",
)
@flag(
    "--damaged",
    envvar="HMI_DAMAGED",
    type=click.Choice(["refuse", "exact"]),
    help="vPLMs whose tables are damaged: refuse, or serve in exact mode and say so.",
)
@flag(
    "--pipeline",
    envvar="HMI_PIPELINE",
    type=click.Choice(["on", "off"]),
    help="Fetch the next batch's rows and adapters while one is computed (on).",
)
@flag(
    "--slo-ms",
    envvar="HMI_SLO_MS",
    type=click.FloatRange(0, min_open=True),
    help="Refuse requests that would take longer, in milliseconds.",
)
@flag(
    "--keep-versions",
    envvar="HMI_KEEP_VERSIONS",
    type=click.IntRange(2),
    help="How many versions of each vPLM are kept (10); the oldest beyond them go.",
)
@flag("--threads", envvar="HMI_THREADS", type=click.IntRange(0), help="Compute threads; 0: auto.")
@flag(
    "--watchdog-s",
    envvar="HMI_WATCHDOG_S",
    type=click.FloatRange(0),
    help="End, for a supervisor to start it again, when a batch takes longer (60; 0: never).",
)
@flag(
    "--log-format",
    envvar="HMI_LOG_FORMAT",
    type=click.Choice(["text", "json"]),
    help="Lines for people (text), or a JSON object a line.",
)
def serve(**_flags: object) -> None:
    """Run the engine in the foreground.

    SIGTERM or Ctrl-C ends it cleanly.
    """
    become("engine", "serve")
