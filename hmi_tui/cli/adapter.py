"""`hmi adapter`: the store of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect
from hmi_tui.cli.output import instant, listing, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import NOTHING, size

if TYPE_CHECKING:
    from engine.schema import Adapter

SHORT = 12
"""Digits of an id in a table; -q and --json print all 64."""


@click.group(cls=Branch)
def adapter() -> None:
    """Adapters: the files that vPLMs consist of."""


@adapter.command()
@paged
@readable
def ls(q: str, sort: str | None, limit: int) -> None:
    """List adapters."""
    with connect() as client:
        found, total = gather(lambda n, c: client.adapters(q, n, c, sort), limit)
    show(listing(found, total), [one.id for one in found], lambda: _table(found))


@adapter.command("show")
@click.argument("id")
@readable
def show_one(id: str) -> None:
    """Show one adapter."""
    with connect() as client:
        found = client.adapter(id)
    show(found, [found.id], lambda: record(_pairs(found)))


@adapter.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Remove adapters that no vPLM uses."""
    with connect() as client:
        for one in ids:
            client.remove_adapter(one)
            click.echo(one)


def _users(one: Adapter) -> str:
    if len(one.users) > 2:
        return f"{one.users[0]} and {len(one.users) - 1} more"
    return ", ".join(one.users) or NOTHING


def _table(adapters: Sequence[Adapter]) -> str:
    return table(
        ("ADAPTER", ">BYTES", ">RANK", ">LABELS", "TIER", "MADE BY", "USED BY"),
        (
            (
                one.id[:SHORT],
                size(one.bytes),
                str(one.rank),
                str(one.labels),
                one.tier,
                one.created_by,
                _users(one),
            )
            for one in adapters
        ),
    )


def _pairs(one: Adapter) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("bytes", size(one.bytes)),
        ("rank", str(one.rank)),
        ("labels", str(one.labels)),
        ("tier", one.tier),
        ("made by", one.created_by),
        ("used by", ", ".join(one.users) or "no vPLM"),
        ("created", instant(one.created_at)),
    ]
