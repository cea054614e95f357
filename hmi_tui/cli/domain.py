"""`hmi domain`: the tree of domains and their tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hmi_tui.cli.domain_text import cost_pairs, domain_pairs, epoch_table, ngram_table
from hmi_tui.cli.grammar import SIZE, Branch, connect, flag, say
from hmi_tui.cli.output import readable, record, show
from hmi_tui.cli.tree import tree_table
from hmi_tui.figures import many, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.client import Client
    from engine.schema import Kind

FILE = click.Path(path_type=Path)
KIND = click.Choice(["classifier", "generator"])
of_kind = flag(
    "--kind",
    type=KIND,
    default="classifier",
    show_default=True,
    help="Look at what is known for the backbone of classifiers, or of generators.",
)


@click.group(cls=Branch)
def domain() -> None:
    """Domains: a tree of lookup tables.

    A node holds what differs from its parent.
    """


@domain.command()
@of_kind
@readable
def ls(kind: Kind) -> None:
    """Print the tree with entries, bytes, hit rates and epochs."""
    with connect() as client:
        tree = client.domains(kind)
    show(tree, [one.name for one in tree.data], lambda: tree_table(tree.data))
    for damage in dict.fromkeys(one.damage for one in tree.data if one.damage is not None):
        say(damage)


@domain.command("show")
@click.argument("name")
@of_kind
@readable
def show_one(name: str, kind: Kind) -> None:
    """Show one domain."""
    with connect() as client:
        found = client.domain(name, kind)
    show(found, [found.name], lambda: record(domain_pairs(found)))


@domain.command()
@click.argument("name")
@flag("--parent", default="general", show_default=True, help="The node above.")
@flag(
    "--corpus", "corpora", metavar="FILE", type=FILE, multiple=True, help="Text; may be repeated."
)
@readable
def create(name: str, parent: str, corpora: tuple[Path, ...]) -> None:
    """Create a domain, with its text if there is some.

    A corpus holds a document a line, plain or .gz; hmi domain rebuild makes the table of it.
    """
    from hmi_tui.cli.requests import check_readable

    for path in corpora:
        check_readable(path)
    with connect() as client:
        client.create_domain(name, parent)
        if corpora:
            try:
                _upload(client, name, corpora)
            except BaseException:
                client.remove_domain(name)
                raise
        found = client.domain(name)
    show(found, [found.name], lambda: found.name)


@domain.command()
@click.argument("name")
@click.argument("files", metavar="FILE...", type=FILE, nargs=-1, required=True)
def corpus(name: str, files: tuple[Path, ...]) -> None:
    """Replace a domain's text with the contents of files, plain or .gz."""
    with connect() as client:
        _upload(client, name, files)
    click.echo(name)


@domain.command()
@click.argument("name")
@flag(
    "--kind",
    type=KIND,
    help="For the backbone of classifiers, or of generators. Default: generator if all the "
    "domain's vPLMs are generators, else classifier.",
)
@flag("--alpha", type=float, default=0.5, show_default=True, help="Share of the text to cover.")
@flag("--budget", type=SIZE, default="256M", show_default=True, help="Bytes that it may take.")
@flag("--threshold", type=float, default=0.0, help="Least difference to the parent worth keeping.")
@flag(
    "--train-minutes",
    type=click.FloatRange(0, 1440),
    default=0.0,
    show_default=True,
    help="Train the domain's own n-gram encoder on its text first.",
)
@flag(
    "--train-from",
    type=click.Choice(["current", "scratch"]),
    default="current",
    show_default=True,
    help="Start from the encoder in use, or from what it inherits.",
)
@flag("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the training.")
@flag(
    "--traffic-weight",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="What plenty of traffic counts for beside the text; 0 looks at the text alone.",
)
@flag("--dry-run", is_flag=True, help="Say what it would cost and do nothing.")
@flag("--no-wait", is_flag=True, help="Print the job's id and return.")
@flag(
    "--backbone",
    metavar="NAME[:VERSION]",
    help="For which it is built, and trained; left out, the engine's own.",
)
@readable
def rebuild(
    name: str,
    backbone: str | None,
    kind: Kind | None,
    alpha: float,
    budget: int,
    threshold: float,
    train_minutes: float,
    train_from: Literal["current", "scratch"],
    seed: int,
    traffic_weight: float,
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Build a domain's table anew and publish it as its next epoch; serving goes on.

    It is made of the domain's text and of what its traffic asked for.
    A training that was stopped goes on where it was when the same rebuild is asked for again.
    """
    from engine.schema import RebuildRequest
    from hmi_tui.cli.watch import watch

    request = RebuildRequest(
        backbone=backbone,
        kind=kind,
        alpha=alpha,
        budget_bytes=budget,
        threshold=threshold,
        train_minutes=train_minutes,
        train_from=train_from,
        seed=seed,
        traffic_weight=traffic_weight,
    )
    with connect() as client:
        if dry_run:
            cost = client.rebuild_cost(name, request)
            show(cost, [cost.domain], lambda: record(cost_pairs(cost)))
            return
        accepted = client.rebuild_domain(name, request)
        if no_wait:
            show(accepted, [accepted.id], lambda: accepted.id)
            return
        watch(client, accepted.id)
        found = client.domain(name, accepted.kind)
    show(found, [found.name], lambda: tree_table([found]))


@domain.command()
@click.argument("name")
@flag("--filter", "-f", "q", default="", help="Only n-grams whose text contains this.")
@flag("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most N.")
@of_kind
@readable
def ngrams(name: str, q: str, limit: int, kind: Kind) -> None:
    """List a domain's most used table entries and where their rows come from."""
    with connect() as client:
        page = client.ngrams(name, q, limit, kind)
    show(page, [one.text for one in page.data], lambda: ngram_table(page))


@domain.command()
@click.argument("name")
@of_kind
@readable
def epochs(name: str, kind: Kind) -> None:
    """List the tables that a domain has published, the newest first."""
    with connect() as client:
        found = client.epochs(name, kind)
    show(found, [str(one.epoch) for one in found.data], lambda: epoch_table(found))


@domain.command("set")
@click.argument("name")
@flag(
    "--update",
    type=click.Choice(["manual", "miss_rate", "idle"]),
    help="Rebuild it by hand alone, when too many lookups miss, or whenever the engine is idle.",
)
@flag("--miss-rate", type=click.FloatRange(0, 1, max_open=True), help="What is too many (0.6).")
@flag("--min-lookups", type=click.IntRange(1), help="Lookups to learn from (20000).")
@flag("--cooldown", type=click.FloatRange(0), metavar="SECONDS", help="Least time between (3600).")
@readable
def set_policy(
    name: str,
    update: str | None,
    miss_rate: float | None,
    min_lookups: int | None,
    cooldown: float | None,
) -> None:
    """Say when a domain learns from its traffic by itself; what is not given stays."""
    if all(value is None for value in (update, miss_rate, min_lookups, cooldown)):
        raise click.UsageError("Nothing to change: give --update or another option.")
    with connect() as client:
        found = client.change_domain(
            name,
            update=update,
            miss_rate=miss_rate,
            min_lookups=min_lookups,
            cooldown_s=cooldown,
        )
    show(found, [found.name], lambda: record(domain_pairs(found)))


@domain.command()
@click.argument("name")
@click.argument("parent")
@readable
def mv(name: str, parent: str) -> None:
    """Move a domain, with all that hangs below it, under another parent."""
    with connect() as client:
        found = client.change_domain(name, parent=parent)
    show(found, [found.name], lambda: found.name)


@domain.command()
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@of_kind
def encoder(name: str, file: Path, kind: Kind) -> None:
    """Write a domain's own n-gram encoder to a file.

    hmi serve --encoder takes the general one of classifiers.
    """
    with connect() as client:
        data = client.encoder_file(name, kind)
    file.write_bytes(data)
    click.echo(str(file))


@domain.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def rm(names: tuple[str, ...]) -> None:
    """Remove domains; their children and vPLMs go to their parents."""
    with connect() as client:
        for name in names:
            client.remove_domain(name)
            click.echo(name)


def _upload(client: Client, name: str, files: Sequence[Path]) -> None:
    receipt = client.put_corpus(name, files)
    say(f"{name}: {many(receipt.lines, 'line')}, {size(receipt.bytes)} of text")
    for warning in receipt.warnings:
        say(f"warning: {warning}")
