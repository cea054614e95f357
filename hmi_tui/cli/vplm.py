"""`hmi vplm`: the tenants' models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hmi_tui.cli import vplm_versions
from hmi_tui.cli.grammar import Branch, connect, flag, say
from hmi_tui.cli.output import listing, readable, record, show
from hmi_tui.cli.paging import gather, paged
from hmi_tui.cli.vplm_text import vplm_pairs, vplm_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.schema import BulkCreated, Created


@click.group(cls=Branch)
def vplm() -> None:
    """vPLMs: the tenants' models.

    Each is a domain, an adapter and a head on a shared backbone.
    """


@vplm.command()
@click.argument("id", metavar="TENANT/NAME")
@flag(
    "--task",
    type=click.Choice(
        ["classify", "multilabel", "pair", "tokens", "regression", "embedding", "generate"]
    ),
    help="A label, several, one for two texts, spans, numbers, a vector, or more text; left out, "
    "as what it starts from, or classify.",
)
@flag(
    "--labels",
    metavar="A,B,C",
    help="What it tells apart, in order; of tokens O,B-x,I-x or O,x, of a regression the names of "
    "its numbers, of an embedding none. Left out, as what it starts from.",
)
@flag(
    "--backbone",
    metavar="NAME[:VERSION]",
    help="What it rests on; left out, as what it starts from, or the engine's own.",
)
@flag("--domain", help="Whose tables it reads; left out, as what it starts from, or general.")
@flag("--adapter", default="random", show_default=True, help="An adapter's id, or random.")
@flag(
    "--from",
    "from_vplm",
    metavar="TENANT/NAME[:VERSION]",
    help="Start from a copy of another of the tenant's vPLMs.",
)
@flag(
    "--starter",
    "from_starter",
    metavar="[TENANT/]NAME[:VERSION]",
    help="Start from a published one; hmi starter ls lists them.",
)
@flag(
    "--mode",
    type=click.Choice(["plot", "exact"]),
    help="Lower layers from tables, or computed; left out, as what it starts from, or plot.",
)
@flag(
    "--miss",
    type=click.Choice(["compute", "backoff"]),
    help="What happens to n-grams that no table holds; left out, what the engine does.",
)
@flag("--rank", type=click.IntRange(1), default=64, show_default=True, help="Of the adapter.")
@flag(
    "--places",
    metavar="A,B",
    help="Where a random adapter sits: attention, feed_forward, or both, the default; one place "
    "takes half the bytes.",
)
@flag("--count", type=click.IntRange(1), help="Make N at once: NAME-00001 and on.")
@readable
def create(
    id: str, labels: str | None, places: str | None, count: int | None, **spec: object
) -> None:
    """Create a vPLM, or N of them; prints the ids.

    With other labels than what it starts from, it keeps the adapter and gets a fresh head.
    """
    from engine.schema import VplmBulkCreate, VplmCreate
    from hmi_tui.cli.requests import build, comma_list, split_id

    tenant, name = split_id(id)
    spec |= {"tenant": tenant, "name": name}
    if labels is not None:
        spec["labels"] = comma_list(labels)
    if places is not None:
        spec["places"] = comma_list(places)
    if count is None:
        one = build(VplmCreate, **spec)
        with connect() as client:
            made = client.create_vplm(one)
        show(made, [made.id], lambda: made.id)
        _tell_start(made)
        return
    many = build(VplmBulkCreate, count=count, **spec)
    with connect() as client:
        ids = client.create_vplms(many)
    show({"created": ids}, ids, lambda: "\n".join(ids))


@vplm.command()
@flag("--tenant", help="Only this tenant's.")
@paged
@readable
def ls(tenant: str | None, q: str, sort: str | None, limit: int) -> None:
    """List vPLMs."""
    with connect() as client:
        found, total = gather(lambda n, c: client.vplms(q, tenant, n, c, sort), limit)
    show(listing(found, total), [one.id for one in found], lambda: vplm_table(found))


@vplm.command()
@flag("--tenant", help="Only this tenant's.")
@readable
def ps(tenant: str | None) -> None:
    """List the vPLMs that are in memory, those on the device first."""
    with connect() as client:
        found, _ = gather(lambda n, c: client.vplms("", tenant, n, c), 0)
    resident = [one for tier in ("device", "host") for one in found if one.tier == tier]
    show(listing(resident), [one.id for one in resident], lambda: vplm_table(resident))


@vplm.command("show")
@click.argument("id", metavar="TENANT/NAME")
@readable
def show_one(id: str) -> None:
    """Show one vPLM."""
    with connect() as client:
        found = client.vplm(id)
    show(found, [found.id], lambda: record(vplm_pairs(found)))


@vplm.command("set")
@click.argument("id", metavar="TENANT/NAME")
@flag("--domain", help="Whose tables it reads.")
@flag("--mode", type=click.Choice(["plot", "exact"]), help="Lower layers from tables, or computed.")
@flag(
    "--miss",
    type=click.Choice(["compute", "backoff", "engine"]),
    help="What happens to n-grams that no table holds; engine: what the engine does.",
)
@readable
def change(id: str, **changes: Any) -> None:
    """Change a vPLM's domain, mode or miss policy; what is not given stays."""
    if all(value is None for value in changes.values()):
        raise click.UsageError("Nothing to change: give --domain, --mode or --miss.")
    with connect() as client:
        changed = client.change_vplm(id, **changes)
    show(changed, [changed.id], lambda: record(vplm_pairs(changed)))


@vplm.command()
@click.argument("ids", metavar="TENANT/NAME...", nargs=-1, required=True)
def pin(ids: tuple[str, ...]) -> None:
    """Keep vPLMs in memory."""
    _change_pin(ids, True)


@vplm.command()
@click.argument("ids", metavar="TENANT/NAME...", nargs=-1, required=True)
def unpin(ids: tuple[str, ...]) -> None:
    """Let vPLMs be evicted again."""
    _change_pin(ids, False)


@vplm.command()
@click.argument("ids", metavar="TENANT/NAME...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Remove vPLMs."""
    with connect() as client:
        for one in ids:
            client.remove_vplm(one)
            click.echo(one)


def _tell_start(made: Created | BulkCreated) -> None:
    """What became of the head of what it starts from, where that is not plain."""
    if made.head == "fresh":
        say(
            f"It keeps the bottlenecks of {made.started_from} and has a fresh head, for its labels "
            "are others: train it before it is asked."
        )
    elif made.head == "reordered":
        say(f"It answers as {made.started_from}, with the labels in the order given.")


for command in vplm_versions.COMMANDS:
    vplm.add_command(command)


def _change_pin(ids: Sequence[str], pinned: bool) -> None:
    with connect() as client:
        for one in ids:
            client.change_vplm(one, pin=pinned)
            click.echo(one)
