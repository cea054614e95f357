"""`hmi adapter`: the store of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag, say
from hmi_tui.cli.output import instant, listing, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import NOTHING, size

if TYPE_CHECKING:
    from engine.schema import Adapter, Provenance

SHORT = 12
"""Digits of an id in a table; -q and --json print all 64."""


@click.group(cls=Branch)
def adapter() -> None:
    """Adapters: the files that vPLMs consist of."""


@adapter.command()
@paged
@flag("--unused", is_flag=True, help="Only those that no vPLM uses.")
@readable
def ls(q: str, sort: str | None, limit: int, unused: bool) -> None:
    """List adapters."""
    with connect() as client:
        found, total = gather(lambda n, c: client.adapters(q, n, c, sort, unused), limit)
    show(listing(found, total), [one.id for one in found], lambda: _table(found))


@adapter.command("show")
@click.argument("id")
@readable
def show_one(id: str) -> None:
    """Show one adapter."""
    with connect() as client:
        found = client.adapter(id)
    show(found, [found.id], lambda: record(_pairs(found)))


@adapter.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@readable
def import_one(file: Path) -> None:
    """Put an adapter's safetensors file into the store.

    hmi vplm create --adapter ID makes a vPLM of it.
    """
    with connect() as client:
        found = client.import_adapter(file)
    show(found, [found.id], lambda: record(_pairs(found)))


@adapter.command()
@click.argument("id")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
def export(id: str, file: Path) -> None:
    """Write an adapter to a file, which hmi adapter import takes."""
    with connect() as client:
        data = client.adapter_file(id)
    file.write_bytes(data)
    click.echo(str(file))


@adapter.command()
@click.argument("ids", metavar="[ID...]", nargs=-1)
def verify(ids: tuple[str, ...]) -> None:
    """Read adapters' files and hash them again; all of them if none is named."""
    from engine.client import Damaged

    with connect() as client:
        if not ids:
            ids = tuple(one.id for one in gather(lambda n, c: client.adapters("", n, c), 0)[0])
        checks = [client.verify_adapter(one) for one in ids]
    bad = [check for check in checks if not check.ok]
    for check in bad:
        click.echo(f"{check.id}  {check.detail}")
    if bad:
        raise Damaged(f"{len(bad)} of {len(checks)} adapters are not what they were.")
    say(f"{len(checks)} adapters are what they were.")


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


def _origin(made: Provenance | None) -> list[tuple[str, str]]:
    """Of a trained one: which training made it, of what."""
    if made is None:
        return []
    return [
        ("trained as", f"{made.vplm}, in {made.mode} mode"),
        ("started from", made.parent),
        ("dataset", f"{made.dataset}, {made.dataset_rows:,} rows"),
        ("its sha256", made.dataset_sha256),
        ("asked", ", ".join(f"{name} {value}" for name, value in made.hyperparameters.items())),
        ("reached", ", ".join(f"{name} {value:g}" for name, value in made.metrics.items())),
    ]


def _pairs(one: Adapter) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("bytes", size(one.bytes)),
        ("rank", str(one.rank)),
        ("labels", str(one.labels)),
        ("tier", one.tier),
        ("made by", one.created_by + (f" ({one.origin})" if one.origin else "")),
        ("domain", one.domain or NOTHING),
        ("backbone", one.backbone_sha256 or NOTHING),
        ("used by", ", ".join(one.users) or "no vPLM"),
        *_origin(one.provenance),
        ("created", instant(one.created_at)),
    ]
