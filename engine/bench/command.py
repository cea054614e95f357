"""The measurements' command lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order
from engine.bench.options import COUNTS, SHARES, SIZE, common, flag, on_texts
from engine.bench.subject import Subject
from engine.errors import HmiError
from store.errors import StoreError

INTERRUPTED = 130


def measurement(run: Callable[..., None]) -> Callable[..., None]:
    """Failures end in a line and the error's exit code, Ctrl-C in 130."""

    @wraps(run)
    def measured(**choices: Any) -> None:
        end_in_order()
        try:
            if choices["out"] is not None:
                check_writable(choices["out"])
            run(**choices)
        except HmiError as error:
            say(f"hmi bench: {error}")
            raise SystemExit(error.exit_code) from error
        except StoreError as error:
            say(f"hmi bench: {error}")
            raise SystemExit(HmiError.exit_code) from error
        except KeyboardInterrupt:
            say("interrupted")
            raise SystemExit(INTERRUPTED) from None

    return measured


def say(line: str) -> None:
    """Progress: a line on stderr."""
    click.echo(line, err=True)


def publish(document: Document, text: str, *, out: Path | None, as_json: bool) -> None:
    """Print the results, as a table or as JSON, and keep them in `out`."""
    if out is not None:
        write_document(document, out)
    click.echo(document.json() if as_json else f"{document.about.line()}\n\n{text}")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def bench() -> None:
    """Measure the installed copy on this machine."""


@bench.command()
@flag("--sizes", type=COUNTS, default="10k,100k,1M", help="Entries of the tables.")
@flag("--hit-rates", type=SHARES, default="0.3,0.7,1.0", help="Shares of n-grams that are there.")
@flag("--batches", type=COUNTS, default="512,4096,65536", help="Tokens a lookup.")
@flag("--lookups", type=click.IntRange(1), default=500_000, help="Tokens for each combination.")
@flag("--rows", type=SIZE, default="256M", help="Table on disk; 0 leaves it out.")
@flag("--cache", type=SIZE, default="64M", help="How much of it is in memory.")
@common
@measurement
def lookup(
    sizes: tuple[int, ...],
    hit_rates: tuple[float, ...],
    batches: tuple[int, ...],
    lookups: int,
    rows: int,
    cache: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Index probes against Python dictionaries, and rows from a table on disk.

    Needs no texts: n-grams are random, and asked for at random. It runs on one thread.
    """
    from engine.bench.gather import GatherPlan, gather_results, measure_gather, render_gather
    from engine.bench.lookup import LookupPlan, lookup_results, measure_lookup, render_lookup

    plan = LookupPlan(sizes, hit_rates, batches, lookups, seed)
    sizes_found, cells = measure_lookup(plan, say)
    results, text = lookup_results(sizes_found, cells), render_lookup(sizes_found, cells)
    settings = asdict(plan)
    if rows:
        gathering = GatherPlan(rows, cache, seed=seed)
        gathered = measure_gather(gathering, say)
        results |= gather_results(gathered)
        text += "\n\n" + render_gather(gathered)
        settings["gather"] = asdict(gathering)
    about = about_run(threads=1, seed=seed)
    publish(Document("lookup", about, settings, results), text, out=out, as_json=as_json)


@bench.command()
@flag("--batch", type=click.IntRange(1), default=32, help="Texts a batch.")
@flag("--adapters", type=click.IntRange(1), default=32, help="Distinct vPLMs a batch.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of their adapters.")
@flag("--texts", type=click.IntRange(0), default=0, help="Test texts of a dataset; 0 is all.")
@flag("--repeats", type=click.IntRange(1), default=3, help="Passes over them.")
@flag(
    "--miss",
    type=click.Choice(["compute", "backoff"]),
    default="compute",
    help="What happens to n-grams that no table holds.",
)
@flag("--against", type=click.Choice(["transformers"]), multiple=True, help="A further side.")
@on_texts
@common
@measurement
def throughput(subject: Subject, out: Path | None, as_json: bool, **choices: Any) -> None:
    """The model path through tables against exact mode, cold and warm.

    Half of each dataset's test texts are traffic that passes first; the other half is measured.
    """
    from engine.bench.runs import run_throughput
    from engine.bench.throughput import ThroughputPlan

    document, text = run_throughput(subject, ThroughputPlan(**choices), out, say)
    publish(document, text, out=out, as_json=as_json)


@bench.command()
@flag("--seeds", type=click.IntRange(1), default=3, help="Trainings of each dataset and mode.")
@flag("--epochs", type=click.IntRange(1), default=3, help="Passes over the rows.")
@flag("--lr", type=click.FloatRange(0, min_open=True), default=2e-3, help="Learning rate.")
@flag("--batch-size", type=click.IntRange(1), default=32, help="Rows a step.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of the adapters.")
@flag("--rows", type=click.IntRange(0), default=0, help="Training rows of a dataset; 0 is all.")
@flag("--jobs", type=click.IntRange(1), default=1, help="Trainings at a time.")
@flag("--resume", is_flag=True, help="Go on with what --out has.")
@on_texts
@common
@measurement
def accuracy(
    subject: Subject,
    seed: int,
    seeds: int,
    jobs: int,
    resume: bool,
    out: Path | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Adapters trained and served through tables against adapters trained and served exactly.

    With --out every score is kept as soon as it is there, and --resume goes on after an end.
    """
    from engine.bench.accuracy import AccuracyPlan
    from engine.bench.runs import Repeats, run_accuracy

    repeats = Repeats(range(seed, seed + seeds), jobs, resume)
    document, text = run_accuracy(subject, AccuracyPlan(**choices), repeats, out, say)
    publish(document, text, out=out, as_json=as_json)


@bench.command()
@flag("--rows", type=click.IntRange(0), default=0, help="Training rows of a dataset; 0 is all.")
@flag("--epochs", type=click.IntRange(1), default=3, help="Passes over the rows.")
@flag("--lr", type=click.FloatRange(0, min_open=True), default=2e-3, help="Of adapters.")
@flag("--full-lr", type=click.FloatRange(0, min_open=True), default=5e-5, help="Of the other side.")
@flag("--batch-size", type=click.IntRange(1), default=32, help="Rows a step.")
@flag("--rank", type=click.IntRange(1), default=64, help="Of the adapters.")
@flag("--looks", type=click.IntRange(0), default=4, help="An epoch; 0 leaves that side out.")
@flag("--jobs", type=click.IntRange(1), default=8, help="Trained together; 1 leaves that out.")
@flag("--small-rows", type=click.IntRange(10), default=200, help="Of each of those jobs.")
@flag("--small-batch", type=click.IntRange(1), default=8, help="Rows a step of those.")
@flag("--mode", type=click.Choice(["plot", "exact"]), default="plot", help="Of the vPLMs.")
@on_texts
@common
@measurement
def training(subject: Subject, out: Path | None, as_json: bool, **choices: Any) -> None:
    """Adapters against full fine-tuning, and many jobs against one after the other.

    Time to the held-out accuracy that both sides reach, and extra memory at the peak; every side
    in a process of its own. Looking how good a side is counts for neither.
    """
    from engine.bench.runs import run_training
    from engine.bench.training import TrainingPlan

    document, text = run_training(subject, TrainingPlan(**choices), out, say)
    publish(document, text, out=out, as_json=as_json)
