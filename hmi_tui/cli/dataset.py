"""`hmi dataset`: the labelled texts that tenants train on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Branch, connect, flag
from hmi_tui.cli.output import instant, listing, percent, readable, record, show, table
from hmi_tui.cli.paging import gather, paged
from hmi_tui.figures import NOTHING, count, size

if TYPE_CHECKING:
    from engine.client import Client
    from engine.schema import Dataset, DatasetPage, Task

_SHOWN = 20
"""Labels of a dataset that people are shown; --json has all."""


@click.group(cls=Branch)
def dataset() -> None:
    """Datasets: labelled texts, kept under their tenant's quota."""


@dataset.command()
@click.argument("tenants", metavar="[TENANT...]", nargs=-1)
@paged
@readable
def ls(tenants: tuple[str, ...], q: str, sort: str | None, limit: int) -> None:
    """List datasets, of the tenants named or of all that have any."""
    with connect() as client:
        if not tenants:
            known, _ = gather(lambda n, c: client.tenants("", n, c), 0)
            tenants = tuple(one.name for one in known if one.datasets)
        found: list[Dataset] = []
        for name in tenants:
            found += gather(partial(_page, client, name, q, sort), limit)[0]
    show(listing(found), [f"{one.tenant}/{one.name}" for one in found], lambda: _table(found))


@dataset.command("show")
@click.argument("id", metavar="TENANT/NAME")
@readable
def show_one(id: str) -> None:
    """Show one dataset: its labels, what is odd in it, and what a training holds out."""
    tenant, name = _split(id)
    with connect() as client:
        found = client.dataset(tenant, name)
    show(found, [id], lambda: record(_pairs(found)))


@dataset.command()
@click.argument("id", metavar="TENANT/NAME")
@click.argument("file", type=click.Path(path_type=Path))
@flag("--text", default="text", show_default=True, metavar="COL", help="The column with the text.")
@flag("--label", default="label", show_default=True, metavar="COL", help="The one with the label.")
@flag("--text-pair", default="text_pair", show_default=True, metavar="COL", help="The second text.")
@flag(
    "--task",
    type=click.Choice(["classify", "multilabel", "pair", "tokens", "regression"]),
    default="classify",
    show_default=True,
    help="What its rows are to teach.",
)
@readable
def put(id: str, file: Path, text: str, label: str, text_pair: str, task: Task) -> None:
    """Upload a dataset, in place of one of that name.

    FILE is JSONL or CSV, or either with .gz. Bad rows are named by their lines, and then nothing is
    stored; a dataset that the tenant's quota has no room for is refused.
    """
    tenant, name = _split(id)
    with connect() as client:
        found = client.put_dataset(tenant, name, file, text, label, task, text_pair)
    show(found, [id], lambda: record(_pairs(found)))


@dataset.command()
@click.argument("ids", metavar="TENANT/NAME...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Remove datasets that no training needs."""
    with connect() as client:
        for one in ids:
            client.remove_dataset(*_split(one))
            click.echo(one)


def _page(
    client: Client, tenant: str, q: str, sort: str | None, limit: int, cursor: str | None
) -> DatasetPage:
    return client.datasets(tenant, q, limit, cursor, sort)


def _split(id: str) -> tuple[str, str]:
    from engine.errors import BadInput

    tenant, slash, name = id.partition("/")
    if not (tenant and slash and name) or "/" in name:
        raise BadInput(
            f"{id!r} is not the id of a dataset.", remedy="Write TENANT/NAME, such as acme/reviews."
        )
    return tenant, name


def _table(datasets: Sequence[Dataset]) -> str:
    heads = (
        "DATASET",
        ">ROWS",
        ">LABELS",
        ">BYTES",
        ">REPEATED",
        ">CONTRADICT",
        ">TOO LONG",
        "MADE",
    )
    return table(
        heads,
        (
            (
                f"{one.tenant}/{one.name}",
                f"{one.rows:,}",
                str(len(one.labels)),
                size(one.bytes),
                count(one.duplicates),
                count(one.conflicts),
                count(one.too_long),
                instant(one.created_at),
            )
            for one in datasets
        ),
    )


def _pairs(one: Dataset) -> list[tuple[str, str]]:
    ranked = sorted(one.labels.items(), key=lambda pair: -pair[1])
    more = len(ranked) - _SHOWN
    return [
        ("dataset", f"{one.tenant}/{one.name}"),
        ("task", one.task),
        ("rows", f"{one.rows:,}"),
        ("bytes", size(one.bytes)),
        ("sha256", one.sha256 or NOTHING),
        ("held out", f"{one.held_out:,} rows: a tenth of each label, chosen by the job's --seed"),
        ("repeated", f"{count(one.duplicates)} rows say again what another says"),
        ("contradict", f"{count(one.conflicts)} rows have a text that stands with two labels"),
        ("too long", f"{count(one.too_long)} texts are longer than the backbone reads"),
        *(
            (f"label {label}", f"{rows:,}  {percent(rows / one.rows)}")
            for label, rows in ranked[:_SHOWN]
        ),
        *([("more labels", str(more))] if more > 0 else []),
        *([("needed by", ", ".join(one.jobs))] if one.jobs else []),
        ("created", instant(one.created_at)),
    ]
