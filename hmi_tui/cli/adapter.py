"""`hmi adapter`: the store of adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag, say
from hmi_tui.cli.output import instant, listing, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import NOTHING, many, size

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
@click.argument("file", metavar="FILE|DIR", type=click.Path(path_type=Path))
@flag("--labels", metavar="A,B,...", help="Of a folder without a head that is ours: a new one's.")
@readable
def import_one(file: Path, labels: str | None) -> None:
    """Put an adapter into the store: a safetensors file, or a folder of AdapterHub's.

    A folder is what its save_adapter(..., use_safetensors=True) wrote, with bottlenecks in the
    upper layers alone; what does not fit is refused with the reason. hmi vplm create --adapter ID
    makes a vPLM of it.
    """
    from hmi_tui.cli.requests import comma_list

    with connect() as client:
        if file.is_dir():
            found = client.import_adapterhub(file, comma_list(labels) if labels else ())
        else:
            found = client.import_adapter(file)
    show(found, [found.id], lambda: record(_pairs(found)))


@adapter.command()
@click.argument("id")
@click.argument("file", metavar="FILE|DIR", type=click.Path(path_type=Path))
@flag(
    "--format",
    type=click.Choice(["safetensors", "adapterhub"]),
    default="safetensors",
    show_default=True,
    help="A file of ours, or a folder for AdapterHub's load_adapter(..., use_safetensors=True).",
)
def export(id: str, file: Path, format: str) -> None:
    """Write an adapter to a file, or to a folder; hmi adapter import takes both."""
    from engine.client import unpack_folder

    with connect() as client:
        if format == "safetensors":
            file.write_bytes(client.adapter_file(id))
            click.echo(str(file))
            return
        for path in unpack_folder(client.adapterhub_folder(id), file):
            click.echo(str(path))
    say("AdapterHub's heads read the first token; ours, over the mean, is in hmi_head.safetensors.")


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
    say(f"{many(len(checks), 'adapter')} as before: no byte has changed.")


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
        ("dataset", f"{made.dataset}, {many(made.dataset_rows, 'row')}"),
        ("its sha256", made.dataset_sha256),
        ("asked", ", ".join(f"{name} {value}" for name, value in made.hyperparameters.items())),
        ("reached", ", ".join(f"{name} {value:g}" for name, value in made.metrics.items())),
    ]


def _pairs(one: Adapter) -> list[tuple[str, str]]:
    return [
        ("id", one.id),
        ("bytes", size(one.bytes)),
        ("rank", str(one.rank)),
        ("places", ", ".join(one.places) or NOTHING),
        ("labels", str(one.labels)),
        ("tier", one.tier),
        ("made by", one.created_by + (f" ({one.origin})" if one.origin else "")),
        ("domain", one.domain or NOTHING),
        ("backbone", one.backbone_sha256 or NOTHING),
        ("used by", ", ".join(one.users) or "no vPLM"),
        *_origin(one.provenance),
        ("created", instant(one.created_at)),
    ]
