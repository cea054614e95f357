"""`hmi vplm versions`, `rollback`, `promote`, `publish`: what answers for a vPLM, since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import instant, readable, show, table
from hmi_tui.figures import NOTHING, held_out, size

if TYPE_CHECKING:
    from engine.schema import Published, VplmVersions


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@readable
def versions(id: str) -> None:
    """List what a vPLM has published, newest first, with accuracies.

    A training, an upload, a rollback and a promotion are a version each. hmi serve --keep-versions
    says how many are kept.
    """
    with connect() as client:
        found = client.versions(id)
    show(found, [str(one.version) for one in found.data], lambda: _table(found))


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("version", type=click.IntRange(1))
@readable
def rollback(id: str, version: int) -> None:
    """Answer as an earlier version did, from now on.

    That is a new version; requests under way end on the one that they began with.
    """
    with connect() as client:
        made = client.roll_back(id, version)
    _say(made)


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("to", metavar="TENANT/OTHER")
@flag("--version", type=click.IntRange(1), help="Of the first; left out, the one that serves.")
@readable
def promote(id: str, to: str, version: int | None) -> None:
    """Let another vPLM of the tenant answer as this one does.

    Staging becomes production so. Both have the same labels. That is a new version of the other,
    which can be rolled back.
    """
    from engine.errors import BadInput
    from hmi_tui.cli.requests import split_id

    (tenant, _), (other, name) = split_id(id), split_id(to)
    if tenant != other:
        raise BadInput(
            f"{id} and {to} are of two tenants.", remedy="Promote to a vPLM of the same tenant."
        )
    with connect() as client:
        made = client.promote(id, name, version)
    _say(made)


@click.command(cls=Leaf)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("adapter", metavar="ADAPTER-ID")
@readable
def publish(id: str, adapter: str) -> None:
    """Let a vPLM answer with an adapter of the store, an imported one say."""
    with connect() as client:
        made = client.publish_adapter(id, adapter)
    _say(made)


COMMANDS = (versions, rollback, promote, publish)


def _say(made: Published) -> None:
    measured = "not measured"
    if made.accuracy is not None:
        measured = held_out(made.accuracy, made.perplexity)
    line = f"{made.id} is at version {made.version}, accuracy {measured}"
    show(made, [made.id], lambda: line)
    if made.note:
        say(made.note)


def _table(found: VplmVersions) -> str:
    heads = ("", ">VERSION", ">ACCURACY", "PUBLISHED", "BY", "FROM", "ADAPTER", ">BYTES")
    return table(
        heads,
        (
            (
                "*" if one.serving else "",
                str(one.version),
                held_out(one.accuracy, one.perplexity),
                instant(one.published_at),
                one.origin,
                _short(one.source) or NOTHING,
                one.adapter[:12],
                size(one.bytes),
            )
            for one in found.data
        ),
    )


def _short(source: str) -> str:
    """An adapter's id with as many digits as tell it from others."""
    kind, _, name = source.partition(" ")
    return f"{kind} {name[:12]}" if kind == "adapter" else source
