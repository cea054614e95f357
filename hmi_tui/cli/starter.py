"""`hmi starter`: adapters published for vPLMs to start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag
from hmi_tui.cli.output import instant, listing, percent, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import NOTHING

if TYPE_CHECKING:
    from engine.schema import Starter


@click.group(cls=Branch)
def starter() -> None:
    """Starting points: trained adapters that new vPLMs may begin with.

    The operator's are for every tenant, a tenant's for itself alone.
    """


@starter.command()
@click.argument("id", metavar="TENANT/NAME")
@click.argument("name", metavar="STARTER")
@flag("--version", type=click.IntRange(1), help="Of the vPLM; left out, the one that serves.")
@flag("--own", is_flag=True, help="For the tenant alone; left out, for every tenant.")
@flag("--task", default="", help="What it does, in a few words.")
@flag("--data", default="", help="What it was trained on.")
@flag("--note", default="", help="Anything else that whoever starts from it should know.")
@readable
def publish(
    id: str, name: str, version: int | None, own: bool, task: str, data: str, note: str
) -> None:
    """Publish a vPLM's adapter as the next version of a starting point.

    hmi vplm create TENANT/NAME --starter STARTER begins with it.
    """
    from engine.schema import Card, StarterPublish
    from hmi_tui.cli.requests import build, split_id

    request = build(
        StarterPublish,
        name=name,
        vplm=id,
        version=version,
        owner=split_id(id)[0] if own else None,
        card=build(Card, task=task, data=data, note=note),
    )
    with connect() as client:
        made = client.publish_starter(request)
    show(made, [made.id], lambda: made.id)


@starter.command()
@flag("--tenant", help="Only those that this tenant may start from.")
@paged
@readable
def ls(tenant: str | None, q: str, sort: str | None, limit: int) -> None:
    """List starting points."""
    with connect() as client:
        found, total = gather(lambda n, c: client.starters(q, tenant, n, c, sort), limit)
    show(listing(found, total), [one.id for one in found], lambda: _table(found))


@starter.command("show")
@click.argument("id", metavar="[TENANT/]NAME[:VERSION]")
@readable
def show_one(id: str) -> None:
    """Show a starting point's card."""
    with connect() as client:
        found = client.starter(id)
    show(found, [found.id], lambda: record(_pairs(found)))


@starter.command()
@click.argument("ids", metavar="[TENANT/]NAME[:VERSION]...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Remove starting points; vPLMs that began with them stay as they are."""
    with connect() as client:
        for one in ids:
            client.remove_starter(one)
            click.echo(one)


def _table(starters: Sequence[Starter]) -> str:
    return table(
        ("STARTER", ">LABELS", ">ACCURACY", "DOMAIN", "MODE", "TASK", "PUBLISHED"),
        (
            (
                one.id,
                str(len(one.labels)),
                percent(one.accuracy),
                one.domain,
                one.mode,
                one.task or NOTHING,
                instant(one.published_at),
            )
            for one in starters
        ),
    )


def _pairs(one: Starter) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("owner", one.owner or "the operator, for every tenant"),
        ("task", one.task or NOTHING),
        ("labels", ", ".join(one.labels)),
        ("data", one.data or NOTHING),
        ("accuracy", percent(one.accuracy)),
        ("domain", one.domain),
        ("mode", one.mode),
        ("note", one.note or NOTHING),
        ("taken from", one.source),
        ("adapter", one.adapter),
        ("published", instant(one.published_at)),
    ]
