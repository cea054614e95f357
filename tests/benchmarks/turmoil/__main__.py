"""Everything at once on a real engine, and every answer checked.

    python -m tests.benchmarks.turmoil --minutes 5

Some hundred vPLMs whose adapters each give one known label are asked at random, in both modes,
while others are created, replaced, deleted, pinned, moved, made in bulk and removed with their
tenant, while domains are rebuilt and while adapter files are damaged and removed; some callers
hang up. Slots and host memory are few, so that adapters move all the time. An answer is right if
its vPLM had that label at some moment of the request. Descriptors, threads and resident memory are
read at rest, after two fifths of the time and at the end. Exits with 1 and a list if anything is
not as it should be.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import click

from engine.bench.about import about_run
from engine.bench.document import Document, check_writable, write_document
from engine.bench.ending import end_in_order
from engine.bench.table import table
from engine.client import parse_size
from tests.benchmarks.turmoil import rest
from tests.benchmarks.turmoil.run import Outcome, Plan, run_turmoil


@click.command()
@click.option("--minutes", type=float, default=5.0, show_default=True)
@click.option("--tenants", type=int, default=40, show_default=True)
@click.option("--each", type=int, default=6, show_default=True, help="vPLMs of a tenant.")
@click.option("--askers", type=int, default=16, show_default=True, help="Requests at once.")
@click.option("--device-cache", default="8M", show_default=True)
@click.option("--host-cache", default="2M", show_default=True)
@click.option("--threads", type=int, default=0, show_default=True, help="The engine's.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Results as JSON.")
def main(
    minutes: float,
    tenants: int,
    each: int,
    askers: int,
    device_cache: str,
    host_cache: str,
    threads: int,
    seed: int,
    out: Path | None,
) -> None:
    """Put an engine in turmoil for MINUTES."""
    end_in_order()
    if out is not None:
        check_writable(out)
    plan = Plan(minutes, tenants, each, askers, seed=seed, serve=("--threads", str(threads)))
    plan = replace(plan, device_cache=parse_size(device_cache), host_cache=parse_size(host_cache))
    about = about_run(threads=threads, seed=seed)
    outcome = run_turmoil(plan, lambda line: click.echo(line, err=True))
    click.echo(f"{about.line()}\n\n{render(outcome)}")
    if out is not None:
        settings = asdict(replace(plan, checkpoint=None))
        write_document(Document("turmoil", about, settings, results(outcome)), out)
    sys.exit(bool(outcome.tally.faults))


def render(outcome: Outcome) -> str:
    tally = outcome.tally
    acts = table(
        ("ACT", ">TIMES", ">P50 MS", ">MOST MS"),
        (
            (kind, f"{len(took):,}", f"{1e3 * median(took):.1f}", f"{1e3 * max(took):.0f}")
            for kind, took in sorted(tally.seconds.items())
        ),
    )
    tiers = ", ".join(
        f"{name} {tier.resident} of {tier.budget_bytes or 0:,} bytes, {tier.misses:,} loads, "
        f"{tier.evictions:,} evictions"
        for name, tier in outcome.status.tiers.items()
        if name != "disk"
    )
    rests = table(
        (">AT S", ">DESCRIPTORS", ">THREADS", ">RESIDENT MIB"),
        (
            (f"{r.at:.0f}", str(r.descriptors), str(r.threads), f"{r.resident / (1 << 20):.1f}")
            for r in outcome.rests
        ),
    )
    allowed = (
        f"from the second line to the last they may grow by {rest.MORE_DESCRIPTORS} descriptors, "
        f"{rest.MORE_THREADS} threads and {rest.MORE_MEMORY:.0%} of the memory (or "
        f"{outcome.least_more_memory >> 20} MiB, if that is more)"
    )
    faults = [*tally.faults, *([f"and {tally.more_faults} more"] if tally.more_faults else [])]
    told = "\n".join(f"  {fault}" for fault in faults) or "  none"
    return f"{acts}\n\n{tally.line()}\n{tiers}\n\n{rests}\n{allowed}\n\nfaults:\n{told}"


def results(outcome: Outcome) -> dict[str, object]:
    tally = outcome.tally
    return {
        "acts": {
            kind: {"times": len(took), "p50_s": median(took), "most_s": max(took)}
            for kind, took in tally.seconds.items()
        },
        "answers": tally.answers,
        "wrong": tally.wrong,
        "errors": dict(tally.errors),
        "cancelled": tally.cancelled,
        "rests": [asdict(one) for one in outcome.rests],
        "tiers": {name: tier.model_dump() for name, tier in outcome.status.tiers.items()},
        "faults": tally.faults,
        "more_faults": tally.more_faults,
    }


if __name__ == "__main__":
    main()
