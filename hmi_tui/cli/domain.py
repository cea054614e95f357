"""`hmi domain`: the tree of domains and their tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import SIZE, Branch, connect, flag, say
from hmi_tui.cli.output import instant, percent, readable, record, show, table
from hmi_tui.cli.tree import tree_table
from hmi_tui.figures import size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.client import Client
    from engine.schema import Domain, NgramPage

FILE = click.Path(path_type=Path)


@click.group(cls=Branch)
def domain() -> None:
    """Domains: a tree of lookup tables.

    A node holds what differs from its parent.
    """


@domain.command()
@readable
def ls() -> None:
    """Print the tree with entries, bytes, hit rates and epochs."""
    with connect() as client:
        tree = client.domains()
    show(tree, [one.name for one in tree.data], lambda: tree_table(tree.data))


@domain.command("show")
@click.argument("name")
@readable
def show_one(name: str) -> None:
    """Show one domain."""
    with connect() as client:
        found = client.domain(name)
    show(found, [found.name], lambda: record(_pairs(found)))


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
@flag("--alpha", type=float, default=0.5, show_default=True, help="Share of the text to cover.")
@flag("--budget", type=SIZE, default="256M", show_default=True, help="Bytes that it may take.")
@flag("--threshold", type=float, default=0.0, help="Least difference to the parent worth keeping.")
@flag("--no-wait", is_flag=True, help="Print the job's id and return.")
@readable
def rebuild(name: str, alpha: float, budget: int, threshold: float, no_wait: bool) -> None:
    """Build a domain's table anew and publish it as its next epoch; serving goes on."""
    from hmi_tui.cli.watch import watch

    with connect() as client:
        accepted = client.rebuild_domain(name, alpha, budget, threshold)
        if no_wait:
            show(accepted, [accepted.id], lambda: accepted.id)
            return
        watch(client, accepted.id)
        found = client.domain(name)
    show(found, [found.name], lambda: tree_table([found]))


@domain.command()
@click.argument("name")
@flag("--filter", "-f", "q", default="", help="Only n-grams whose text contains this.")
@flag("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most N.")
@readable
def ngrams(name: str, q: str, limit: int) -> None:
    """List a domain's most used table entries and where their rows come from."""
    with connect() as client:
        page = client.ngrams(name, q, limit)
    show(page, [one.text for one in page.data], lambda: _ngrams(page))


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
    say(f"{name}: {receipt.lines} lines, {size(receipt.bytes)} of text")


def _ngrams(page: NgramPage) -> str:
    rows = ((one.text, str(one.count), str(one.hits), one.source) for one in page.data)
    return table(("N-GRAM", ">COUNT", ">HITS", "FROM"), rows)


def _pairs(one: Domain) -> list[tuple[str, str]]:
    return [
        ("name", one.name),
        ("parent", one.parent or "none; the root"),
        ("state", one.state),
        ("epoch", str(one.epoch)),
        ("own entries", f"{one.entries}, {size(one.bytes)}"),
        ("seen entries", str(one.view_entries)),
        ("hit rate", f"{percent(one.hit_rate)} ({one.hits} hits, {one.misses} misses)"),
        ("corpus", f"{one.corpus_lines} lines, {size(one.corpus_bytes)}"),
        ("encoder", one.encoder),
        ("vPLMs", str(one.vplms)),
        ("created", instant(one.created_at)),
    ]
