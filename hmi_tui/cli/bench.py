"""`hmi bench`: becomes a measurement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hmi_tui.cli.execute import become
from hmi_tui.cli.grammar import Branch, flag

F = TypeVar("F", bound=Callable[..., Any])


def _common(command: F) -> F:
    for add in reversed(
        (
            flag("--seed", type=int, help="Decides everything that is random (0)."),
            flag("--out", metavar="FILE", help="Write the results here as well, as JSON."),
            flag("--json", envvar="HMI_JSON", is_flag=True, help="Print a JSON document."),
        )
    ):
        command = add(command)
    return command


def _on_texts(command: F) -> F:
    for add in reversed(
        (
            flag("--data", metavar="DIR", help="Datasets and corpora (the demo's texts)."),
            flag("--datasets", metavar="A,B", help="Only these of them (all)."),
            flag(
                "--domain",
                multiple=True,
                metavar="NAME=CORPUS",
                help="The corpus that belongs to a dataset; may be repeated.",
            ),
            flag("--threads", type=int, help="Compute threads (0: one a core)."),
            flag("--backbone", metavar="DIR", help="A checkpoint of the BERT family."),
            flag("--split", type=int, help="How many of its layers come from tables."),
            flag("--encoder", metavar="FILE", help="An n-gram encoder for that split."),
            flag("--encoders", metavar="DIR", help="Domains' own encoders: DOMAIN.safetensors."),
            flag("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N (cpu)."),
            flag("--dtype", metavar="NAME", help="auto, float32 or bfloat16 (auto)."),
            flag("--alpha", type=float, help="Share of a corpus that tables cover (0.5)."),
            flag("--table-cache", metavar="SIZE", help="Memory for computed rows (512M)."),
        )
    ):
        command = add(command)
    return command


def _on_engine(command: F) -> F:
    for add in reversed(
        (
            flag("--rank", type=int, help="Of the adapters (64)."),
            flag("--host-cache", metavar="SIZE", help="The engine's (2G)."),
            flag("--data", metavar="DIR", help="Datasets and corpora (the demo's texts)."),
            flag("--datasets", metavar="A,B", help="Only these of them (all)."),
            flag(
                "--domain",
                multiple=True,
                metavar="NAME=CORPUS",
                help="The corpus that belongs to a dataset; may be repeated.",
            ),
            flag("--threads", type=int, help="The engine's (0: one a core)."),
            flag("--serve", metavar="FLAGS", help='More of hmi serve, such as "--miss backoff".'),
        )
    ):
        command = add(command)
    return command


@click.group(cls=Branch)
def bench() -> None:
    """Measure this copy on this machine, both sides of every ratio in one run.

    Needs no running engine. Texts for `--data DIR` lie in DIR/NAME/train.jsonl.gz and
    DIR/NAME/test.jsonl.gz, a {"text": ..., "label": ...} a line, and DIR/corpora/NAME.txt.gz.
    """


@bench.command()
@flag("--sizes", metavar="N,N", help="Entries of the tables (10k,100k,1M).")
@flag("--hit-rates", metavar="X,X", help="Shares of n-grams that are there (0.3,0.7,1.0).")
@flag("--batches", metavar="N,N", help="Tokens a lookup (512,4096,65536).")
@flag("--lookups", type=int, help="Tokens for each combination (500000).")
@flag("--rows", metavar="SIZE", help="A table on disk to gather from (256M); 0: none.")
@flag("--cache", metavar="SIZE", help="How much of it is in memory (64M).")
@_common
def lookup(**_flags: object) -> None:
    """Measure the table's index against Python dictionaries."""
    become("engine.bench", "lookup", place=False)


@bench.command()
@flag("--batch", type=int, help="Texts a batch (32).")
@flag("--adapters", type=int, help="Distinct vPLMs a batch (32).")
@flag("--rank", type=int, help="Of their adapters (64).")
@flag("--texts", type=int, help="Test texts of a dataset, half of them traffic (0: all).")
@flag("--repeats", type=int, help="Passes over them; each batch's median counts (3).")
@flag("--miss", metavar="POLICY", help="compute or backoff (compute).")
@flag("--against", metavar="OTHER", multiple=True, help="transformers: plain, padded, no tenants.")
@_on_texts
@_common
def throughput(**_flags: object) -> None:
    """Measure the model path through tables against exact mode, cold and warm."""
    become("engine.bench", "throughput", place=False)


@bench.command()
@flag("--seeds", type=int, help="Trainings of each dataset (3).")
@flag("--epochs", type=int, help="Passes over the rows (3).")
@flag("--lr", type=float, help="Learning rate (0.002).")
@flag("--batch-size", type=int, help="Rows a step (32).")
@flag("--rank", type=int, help="Of the adapters (64).")
@flag("--rows", type=int, help="At most N training rows of a dataset (0: all).")
@flag("--jobs", type=int, help="Trainings at a time, each with --threads (1).")
@flag("--resume", is_flag=True, help="Go on with what --out has.")
@_on_texts
@_common
def accuracy(**_flags: object) -> None:
    """Measure adapters trained and served through tables against exact ones."""
    become("engine.bench", "accuracy", place=False)


@bench.command()
@flag("--rows", type=int, help="At most N training rows of a dataset (0: all).")
@flag("--epochs", type=int, help="Passes over the rows (3).")
@flag("--lr", type=float, help="Learning rate of adapters (0.002).")
@flag("--full-lr", type=float, help="Of full fine-tuning (0.00005).")
@flag("--batch-size", type=int, help="Rows a step (32).")
@flag("--rank", type=int, help="Of the adapters (64).")
@flag("--looks", type=int, help="At held-out rows, an epoch (4); 0 leaves full fine-tuning out.")
@flag("--jobs", type=int, help="Trained together (8); 1 leaves that out.")
@flag("--small-rows", type=int, help="Rows of each of those jobs (200).")
@flag("--small-batch", type=int, help="Rows a step of those (8).")
@flag("--mode", metavar="MODE", help="plot or exact (plot).")
@_on_texts
@_common
def training(**_flags: object) -> None:
    """Measure adapters against full fine-tuning, and many jobs against single ones."""
    become("engine.bench", "training", place=False)


@bench.command()
@flag("--tenants", type=int, help="Tenants to make (1000).")
@flag("--vplms-per-tenant", type=int, help="vPLMs of each (10).")
@flag("--labels", type=int, help="What each tells apart (4).")
@flag("--rate", type=float, help="Requests a second (167).")
@flag("--duration", type=float, help="Seconds of it (600).")
@flag("--popularity", metavar="KIND", help="uniform or zipf (uniform).")
@flag("--slo-ms", type=float, help="A bound to report on (500).")
@flag("--find", metavar="P99_MS", help="Then search the highest rate whose p99 stays within it.")
@flag("--step", type=float, help="Seconds at each rate of the search (30).")
@flag("--device-cache", metavar="SIZE", help="The engine's (256M).")
@_on_engine
@_common
def load(**_flags: object) -> None:
    """Measure the reference load on an engine of its own, with 10,000 vPLMs."""
    become("engine.bench", "load", place=False)


@bench.command()
@flag("--counts", metavar="N,N", help="vPLMs to register (100,1000,10000).")
@flag("--shares", metavar="X,X", help="Slots, of the vPLMs that are asked (0.05,0.2,0.5,1).")
@flag("--popularities", metavar="A,B", help="Of vPLMs (uniform,zipf).")
@flag("--asked", type=int, help="At most so many are asked (1000).")
@flag("--clients", type=int, help="Programs that ask at once (64).")
@flag("--seconds", type=float, help="Of each run (15).")
@flag("--chart", metavar="FILE", help="Draw the curve here, as SVG.")
@_on_engine
@_common
def scale(**_flags: object) -> None:
    """Measure throughput and p99 over vPLMs and slots."""
    become("engine.bench", "scale", place=False)


@bench.command()
@flag("--vplms", type=int, help="vPLMs to ask, in turn (256).")
@flag("--clients", type=int, help="Programs that ask at once (64).")
@flag("--texts", type=int, help="Texts a round (2000).")
@flag("--rounds", type=int, help="Of every engine that is compared (3).")
@flag("--rank", type=int, help="Of their adapters (64).")
@flag("--labels", type=int, help="What each vPLM tells apart (4).")
@_on_texts
@_common
def pipeline(**_flags: object) -> None:
    """Measure overlapping stages against stages in turn, adapters near and far."""
    become("engine.bench", "pipeline", place=False)
