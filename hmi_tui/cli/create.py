"""`hmi create`: tenants, domains and vPLMs as one file describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import readable, show, wants_ids, wants_json

if TYPE_CHECKING:
    from hmi_tui.description.steps import Done, Step


@click.command(cls=Leaf)
@flag(
    "--file",
    "-f",
    "path",
    required=True,
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="What there should be.",
)
@flag("--dry-run", is_flag=True, help="Show the difference and change nothing.")
@readable
def create(path: Path, dry_run: bool) -> None:
    """Make tenants, domains and vPLMs as a file describes them.

    What is there already and as described stays (=), what differs is changed (~), what is missing
    is made (+); what the file does not mention is left alone. Applying it again changes nothing.

    \b
    [tenants.acme]
    weight = 2
    quota = { vplms = 100, rps = 50 }

    \b
    [domains.reviews]
    corpus = ["reviews.txt.gz"]         # beside this file
    rebuild = { train_minutes = 10 }    # or true, the default, or false

    \b
    [vplms."acme/polarity"]
    labels = ["negative", "positive"]
    domain = "reviews"                  # also backbone, task, mode, miss, rank, places, pin

    \b
    [vplms."acme/desk"]
    from = "acme/polarity"              # or starter = NAME, or adapter = ID
    count = 100                         # desk-00001 and on
    """
    from hmi_tui.description.difference import difference
    from hmi_tui.description.document import read_description

    wanted = read_description(path)
    with connect() as client:
        steps = difference(client, wanted)
        told = [_document(step, None) for step in steps]
        if not wants_json() and not wants_ids() and dry_run:
            _print(steps)
        if not dry_run:
            told = []
            for step in steps:
                done = step.apply(client)
                told.append(_document(step, done))
                if not wants_json() and not wants_ids():
                    click.echo(str(step))
                    _tell(step, done)
    if wants_json() or wants_ids():
        changed = [step.name for step in steps if step.sign != "="]
        show({"dry_run": dry_run, "steps": told, **_counts(steps)}, changed, str)
    else:
        say(_summary(steps, dry_run))


def _print(steps: Sequence[Step]) -> None:
    for step in steps:
        click.echo(str(step))


def _tell(step: Step, done: Done) -> None:
    """What a step brought, below its line."""
    if done.api_key is not None:
        click.echo(f"    API key, shown this once: {done.api_key}")
    if done.job is not None:
        say(f"    its table is being built by job {done.job} (hmi job show {done.job})")
    if done.note:
        say(f"    {step.name}: {done.note}")


def _document(step: Step, done: Done | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "sign": step.sign,
        "kind": step.kind,
        "name": step.name,
        "detail": step.detail,
        "count": step.count,
    }
    if done is not None:
        told |= {"api_key": done.api_key, "job": done.job, "note": done.note}
    return told


def _counts(steps: Sequence[Step]) -> dict[str, int]:
    return {
        name: sum(step.count for step in steps if step.sign == sign)
        for name, sign in (("created", "+"), ("changed", "~"), ("unchanged", "="))
    }


def _summary(steps: Sequence[Step], dry_run: bool) -> str:
    counts = _counts(steps)
    if not dry_run:
        return ", ".join(f"{count:,} {word}" for word, count in counts.items()) + "."
    return (
        f"{counts['created']:,} to create, {counts['changed']:,} to change, "
        f"{counts['unchanged']:,} as they should be; nothing was changed."
    )
